import Glibc
package import OrcContract
import OrcCore
package import OrcEngine
package import OrcFiles

/// One server's folder: `<root>/servers/<game>/<name>`.
package struct ServerFolder: Sendable {
    package let server: ServerID
    private let servers: String

    static let configFile = "config.json"
    static let composeFile = "docker-compose.yml"
    private static let subfolders = ["actions", "config", "data", "user"]
    private static let reserved: Set<String> = [configFile, composeFile, "plan.json"]
    private static let agentsFiles: Set<String> = [configFile, composeFile]

    /// `servers`: the folder of all servers, `<root>/servers`.
    package init(_ server: ServerID, in servers: String) {
        self.server = server
        self.servers = servers
    }

    package var path: String { "\(servers)/\(server.game)/\(server.name)" }

    func open() throws -> DirectoryHandle? {
        try DirectoryHandle.opened(servers)?.folder(server.game)?.folder(server.name)
    }

    /// Reads `config.json`; nil if there is none.
    package func config() throws -> ServerConfig? {
        guard let bytes = try open()?.read(Self.configFile, limit: PlanCatalogue.maxBytes) else { return nil }
        return try ServerConfig(
            PlanCatalogue.json(bytes, file: "servers/\(server.game)/\(server.name)/\(Self.configFile)"), server: server)
    }

    /// The files that are written into a new server's folder, in addition to the plan's own files.
    package struct Contents: Sendable {
        package let config: ServerConfig
        /// Files to write: path below the folder, and content.
        package let files: [(path: String, bytes: [UInt8])]
        package let owner: DirectoryHandle.Owner

        package init(config: ServerConfig, files: [(path: String, bytes: [UInt8])], owner: DirectoryHandle.Owner) {
            self.config = config
            self.files = files
            self.owner = owner
        }
    }

    /// Creates the folder if it does not exist.
    ///
    /// Returns true if the folder was created. If the folder existed already, the files in it belong to the server's
    /// owner.
    package func make() throws -> Bool {
        let root = try DirectoryHandle(path: servers)
        guard root.freeBytes ?? .max >= Self.leastRoom else { throw FileError.noSpace(path: path) }
        return try root.makingFolder(server.game).makeNew(server.name)
    }

    /// Free bytes on the disk that a new server requires; any smaller space is reserved for the existing servers.
    private static let leastRoom = 2 << 20

    /// Fills the folder of a new server; files that the owner put there before are kept.
    package func fill(_ contents: Contents, planFolder: DirectoryHandle?) throws {
        guard let folder = try open() else { throw PlanError.unknownServer(server) }
        guard !folder.contains(Self.configFile), !folder.contains(Self.composeFile) else {
            throw PlanError.exists(server)
        }
        if let planFolder { try folder.copyTree(from: planFolder) }
        for name in Self.subfolders { _ = try folder.makingFolder(name) }
        for (path, bytes) in contents.files {
            guard let first = path.utf8.split(separator: UInt8(ascii: "/")).first,
                !Self.reserved.contains(String(Substring(first)))
            else {
                throw FileError.unsafePath(path)
            }
            try folder.write(bytes, toPath: path, mode: 0o644)
        }
        try folder.write(Array(contents.config.document.text(.pretty).utf8), to: Self.configFile, mode: 0o600)
        try give(folder, to: contents.owner)
    }

    /// Gives the game's files to `owner`.
    ///
    /// The agent still owns the folder itself and the files that define the server's container: a process that could
    /// write these could grant the container more rights than its plan does.
    private func give(_ folder: DirectoryHandle, to owner: DirectoryHandle.Owner) throws {
        try folder.checkMounts()
        for entry in try folder.entries() where !Self.agentsFiles.contains(entry.name) {
            if entry.kind == .folder {
                try folder.folder(entry.name)?.giveTree(to: owner)
            } else {
                try folder.give(entry.name, to: owner)
            }
        }
        folder.keep(Self.agentsFiles)
    }

    /// Makes the agent the owner of files that PEON's orchestrator, or an earlier agent, gave to the games' user.
    package func secure() throws { try open()?.keep(Self.agentsFiles) }

    /// Returns true if only the agent and root can have written `config.json`; false if games run as the agent's own
    /// user.
    package func isConfigTrusted(owner: DirectoryHandle.Owner) throws -> Bool {
        guard owner.user != geteuid() else { return false }
        return try open()?.isKept(Self.configFile) ?? false
    }

    /// Replaces `config.json`.
    package func write(_ config: ServerConfig) throws {
        try write(config.document.text(.pretty), to: Self.configFile)
    }

    /// Writes the `docker-compose.yml` of a container.
    ///
    /// Like `config.json`, the file contains passwords, so that only the agent may read the file.
    package func writeCompose(_ spec: ContainerSpec, isPeons: Bool) throws {
        let text = ComposeFile.text(spec, isPeons: isPeons)
        let old = try open()?.read(Self.composeFile, limit: PlanCatalogue.maxBytes)
        if old != Array(text.utf8) { try write(text, to: Self.composeFile) }
    }

    private func write(_ text: String, to name: String) throws {
        guard let folder = try open() else { throw PlanError.unknownServer(server) }
        try folder.write(Array(text.utf8), to: name, mode: 0o600)
    }

    /// Checks that nothing is mounted on the folder or below it, so that the folder can be removed.
    package func checkRemovable() throws { try open()?.checkMounts() }

    /// Removes the folder with all its content, and the game's folder if it is empty then.
    ///
    /// The folder is renamed first, so that an interrupted removal does not leave an incomplete server;
    /// ``removeLeftovers(in:)`` completes such a removal.
    ///
    /// `isOver`: returns true to cancel the removal (``DirectoryHandle/removeTree(_:until:)``).
    package func remove(until isOver: @escaping () -> Bool = { false }) throws {
        try checkRemovable()
        guard let root = DirectoryHandle.opened(servers) else { return }
        guard let game = try root.folder(server.game) else { return }
        // Files left by an earlier, incomplete removal belong to the server too.
        let own = "\(Self.asidePrefix)\(server.name)."
        for entry in try game.entries() where entry.name.hasPrefix(own) {
            try game.removeTree(entry.name, until: isOver)
        }
        let aside = own + String(UInt32.random(in: 0...UInt32.max), radix: 16)
        do { try game.rename(server.name, to: aside) } catch {
            // The folder is gone, or the disk is full, which may leave no room for another name.
            try game.removeTree(server.name, until: isOver)
        }
        try game.removeTree(aside, until: isOver)
        root.removeIfEmpty(server.game)
    }

    /// Prefix of the name of a removed server's folder until the folder is deleted; no server's name begins with a dot.
    private static let asidePrefix = ".orc-removed-"

    /// Removes the files that interrupted removals left below `servers`.
    ///
    /// `isOver`: returns true to cancel.
    package static func removeLeftovers(
        in servers: String, until isOver: @escaping () -> Bool = { false }
    ) throws {
        guard let root = DirectoryHandle.opened(servers) else { return }
        for game in try root.entries() where game.kind == .folder {
            guard let folder = try root.folder(game.name) else { continue }
            for entry in try folder.entries() where entry.name.hasPrefix(asidePrefix) {
                try folder.removeTree(entry.name, until: isOver)
            }
            root.removeIfEmpty(game.name)
        }
    }

    /// True if the folder exists.
    package var exists: Bool { DirectoryHandle.exists(path) }
}

extension ServerFolder {
    /// True if the folder has a `config.json`.
    package var hasConfig: Bool { hasFile(Self.configFile) }

    /// Removes the files that make the folder a server's; all others are kept.
    package func removeConfig() throws {
        guard let folder = try open() else { return }
        try folder.removeTree(Self.configFile)
        try folder.removeTree(Self.composeFile)
    }
}
