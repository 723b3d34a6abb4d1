/// The privileges of a server's processes.
///
/// Defaults for values that are not set depend on whether the image is one of PEON's.
package struct ContainerSecurity: Sendable, Equatable {
    package var user: String
    /// Capabilities removed from the engine's default set; nil for the default of the kind of image (PEON's or other).
    package var dropped: [String]?
    package var added: [String] = []
    /// True if set-user-id bits of files grant no privileges (`PR_SET_NO_NEW_PRIVS`).
    ///
    /// Nil for the default of the kind of image (PEON's or other).
    package var hasNoNewPrivileges: Bool?
    /// True if the root file system is read-only; the mounted folders and /tmp stay writable.
    package var isReadOnly = false
    /// Size in bytes of a /tmp that is kept in memory; nil to use the image's own /tmp.
    package var temporary: Int?

    package init(user: String = "1000:1000") { self.user = user }

    /// True if the server runs as a user whose id is used by no other server and by no account of the host.
    package var hasOwnUser: Bool { user == "own" }

    /// Size in bytes of the /tmp that is kept in memory; never nil if the root file system is read-only.
    package var temporaryBytes: Int? { temporary ?? (isReadOnly ? Self.standardTemporary : nil) }

    private static let standardTemporary = 64 << 20

    /// The capabilities that are dropped for PEON's images, which keep those that `su` and `chown` need at their start.
    private static let peonsDropped = ["FSETID", "MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"]

    /// Returns the capabilities to drop; by default all, but fewer for PEON's images.
    ///
    /// A game that does not run as root needs no capabilities.
    package func dropped(isPeons: Bool) -> [String] { dropped ?? (isPeons ? Self.peonsDropped : ["ALL"]) }

    /// Returns the value to apply; if none is set, false for PEON's images, whose `su` needs its set-user-id bit.
    package func hasNoNewPrivileges(isPeons: Bool) -> Bool { hasNoNewPrivileges ?? !isPeons }

    /// True if every capability that `granted` drops is also dropped here, for every kind of image.
    package func drops(atLeast granted: ContainerSecurity) -> Bool {
        if dropped == granted.dropped { return true }
        let own = Set(dropped ?? Self.peonsDropped)
        return own.contains("ALL") || own.isSuperset(of: granted.dropped ?? ["ALL"])
    }

    /// True if processes can gain privileges here that `granted` prevents, for any kind of image.
    package func gains(beyond granted: ContainerSecurity) -> Bool {
        hasNoNewPrivileges != true && hasNoNewPrivileges != granted.hasNoNewPrivileges
            && granted.hasNoNewPrivileges != false
    }
}
