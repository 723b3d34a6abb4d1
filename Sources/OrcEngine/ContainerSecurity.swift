/// What of the machine a server's processes get; what the plan does not say follows from the kind of its image.
package struct ContainerSecurity: Sendable, Equatable {
    package var user: String
    /// Capabilities that are taken from the engine's standard ones.
    package var dropped: [String]?
    package var added: [String] = []
    /// Whether a program cannot gain by a file's set-user-id bit (`PR_SET_NO_NEW_PRIVS`).
    package var hasNoNewPrivileges: Bool?
    /// Whether nothing of the image can be written to; the mounted folders, and /tmp, can.
    package var isReadOnly = false
    /// Bytes of a /tmp in memory; nil for the image's own.
    package var temporary: Int?

    package init(user: String = "1000:1000") { self.user = user }

    /// Whether each server runs as a user of its own, which no other server and nobody on the machine has.
    package var hasOwnUser: Bool { user == "own" }

    /// Bytes of a /tmp in memory; a root that is only read has one always.
    package var temporaryBytes: Int? { temporary ?? (isReadOnly ? Self.standardTemporary : nil) }

    private static let standardTemporary = 64 << 20

    /// What PEON's images can do without: they use `su` and `chown` as they start.
    private static let peonsDropped = ["FSETID", "MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"]

    /// For an image of PEON's, or another's: a game that is no root's needs none.
    package func dropped(isPeons: Bool) -> [String] { dropped ?? (isPeons ? Self.peonsDropped : ["ALL"]) }

    /// For an image of PEON's, whose `su` gains by its set-user-id bit, or another's.
    package func hasNoNewPrivileges(isPeons: Bool) -> Bool { hasNoNewPrivileges ?? !isPeons }

    /// Whether all that `granted` drops is dropped, whatever the image is.
    package func drops(atLeast granted: ContainerSecurity) -> Bool {
        if dropped == granted.dropped { return true }
        let own = Set(dropped ?? Self.peonsDropped)
        return own.contains("ALL") || own.isSuperset(of: granted.dropped ?? ["ALL"])
    }

    /// Whether a process can gain what `granted` does not let it gain, whatever the image is.
    package func gains(beyond granted: ContainerSecurity) -> Bool {
        hasNoNewPrivileges != true && hasNoNewPrivileges != granted.hasNoNewPrivileges
            && granted.hasNoNewPrivileges != false
    }
}
