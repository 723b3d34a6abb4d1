/// The privileges of a server's processes; defaults for unset values depend on the kind of its image.
package struct ContainerSecurity: Sendable, Equatable {
    package var user: String
    /// Capabilities removed from the engine's default set; nil for the default of the kind of image.
    package var dropped: [String]?
    package var added: [String] = []
    /// True if a file's set-user-id bit grants no privileges (`PR_SET_NO_NEW_PRIVS`); nil for the image's default.
    package var hasNoNewPrivileges: Bool?
    /// True if the root file system is read-only; the mounted folders and /tmp stay writable.
    package var isReadOnly = false
    /// Size in bytes of a /tmp in memory; nil for the image's own /tmp.
    package var temporary: Int?

    package init(user: String = "1000:1000") { self.user = user }

    /// True if the server runs as a user of its own, whose id no other server and no account of the host has.
    package var hasOwnUser: Bool { user == "own" }

    /// Size in bytes of the /tmp in memory; never nil with a read-only root file system.
    package var temporaryBytes: Int? { temporary ?? (isReadOnly ? Self.standardTemporary : nil) }

    private static let standardTemporary = 64 << 20

    /// Capabilities that PEON's images do not need; they use `su` and `chown` during their start.
    private static let peonsDropped = ["FSETID", "MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"]

    /// Returns the capabilities to drop; all for other images than PEON's, as a game without root needs none.
    package func dropped(isPeons: Bool) -> [String] { dropped ?? (isPeons ? Self.peonsDropped : ["ALL"]) }

    /// Returns the effective value; by default false for PEON's images, whose `su` needs its set-user-id bit.
    package func hasNoNewPrivileges(isPeons: Bool) -> Bool { hasNoNewPrivileges ?? !isPeons }

    /// True if all capabilities that `granted` drops are dropped, for every kind of image.
    package func drops(atLeast granted: ContainerSecurity) -> Bool {
        if dropped == granted.dropped { return true }
        let own = Set(dropped ?? Self.peonsDropped)
        return own.contains("ALL") || own.isSuperset(of: granted.dropped ?? ["ALL"])
    }

    /// True if a process can gain privileges that `granted` prevents, for any kind of image.
    package func gains(beyond granted: ContainerSecurity) -> Bool {
        hasNoNewPrivileges != true && hasNoNewPrivileges != granted.hasNoNewPrivileges
            && granted.hasNoNewPrivileges != false
    }
}
