import Glibc
package import Peon

/// One server's folder: `<root>/servers/<game>/<camp>`.
package struct ServerFolder: Sendable {
    package let server: ServerID
    private let servers: String

    static let configFile = "config.json"
    static let composeFile = "docker-compose.yml"
    private static let subfolders = ["actions", "config", "data", "user"]
    private static let reserved: Set<String> = [configFile, composeFile, "plan.json"]

    /// `servers`: the folder of all servers, `<root>/servers`.
    package init(_ server: ServerID, in servers: String) {
        self.server = server
        self.servers = servers
    }

    package var path: String { "\(servers)/\(server.game)/\(server.camp)" }

    private func open() throws(PlanError) -> Folder? {
        guard Folder.exists(servers) else { return nil }
        return try Folder(path: servers).folder(server.game)?.folder(server.camp)
    }

    /// Reads `config.json`; nil where there is none.
    package func config() throws(PlanError) -> ServerConfig? {
        guard let bytes = try open()?.read(Self.configFile, limit: PlanCatalogue.maxBytes) else { return nil }
        return try ServerConfig(PlanCatalogue.json(bytes, file: "\(path)/\(Self.configFile)"), server: server)
    }

    /// Whether a regular file stands at a path below the folder.
    package func hasFile(_ relativePath: String) -> Bool {
        var status = stat()
        return lstat("\(path)/\(relativePath)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// What a creation puts into the folder beside the plan's own files.
    package struct Contents: Sendable {
        package let config: ServerConfig
        /// Path below the folder to what goes there.
        package let files: [(path: String, bytes: [UInt8])]
        package let owner: Folder.Owner

        package init(config: ServerConfig, files: [(path: String, bytes: [UInt8])], owner: Folder.Owner) {
            self.config = config
            self.files = files
            self.owner = owner
        }
    }

    /// Makes the folder where there is none.
    ///
    /// Answers whether it is new: what was there before is its owner's.
    package func make() throws(PlanError) -> Bool {
        try Folder(path: servers).makingFolder(server.game).makeNew(server.camp)
    }

    /// Fills the folder of a new server; what its owner has put there before stays.
    package func fill(_ contents: Contents, planFolder: Folder?) throws(PlanError) {
        guard let folder = try open() else { throw .unknownServer(server) }
        guard !folder.contains(Self.configFile), !folder.contains(Self.composeFile) else { throw .exists(server) }
        if let planFolder { try folder.copyTree(from: planFolder) }
        for name in Self.subfolders { _ = try folder.makingFolder(name) }
        for (path, bytes) in contents.files {
            guard let first = path.utf8.split(separator: UInt8(ascii: "/")).first,
                !Self.reserved.contains(String(Substring(first)))
            else {
                throw .unsafePath(path)
            }
            try folder.write(bytes, toPath: path, mode: 0o644)
        }
        try folder.write(Array(contents.config.document.text(.pretty).utf8), to: Self.configFile, mode: 0o600)
        try folder.giveTree(to: contents.owner)
    }

    /// Writes `config.json` anew.
    package func write(_ config: ServerConfig, owner: Folder.Owner) throws(PlanError) {
        try write(config.document.text(.pretty), to: Self.configFile, owner: owner)
    }

    /// Writes the `docker-compose.yml` of a container.
    ///
    /// It holds passwords, as `config.json` does: the owner's eyes only.
    package func writeCompose(_ spec: ContainerSpec, owner: Folder.Owner) throws(PlanError) {
        let text = ComposeFile.text(spec)
        let old = try open()?.read(Self.composeFile, limit: PlanCatalogue.maxBytes)
        if old != Array(text.utf8) { try write(text, to: Self.composeFile, owner: owner) }
    }

    private func write(_ text: String, to name: String, owner: Folder.Owner) throws(PlanError) {
        guard let folder = try open() else { throw .unknownServer(server) }
        try folder.write(Array(text.utf8), to: name, mode: 0o600)
        try folder.give(name, to: owner)
    }

    /// Removes the folder with all that is in it, and the game's folder where that was the last of it.
    package func remove() throws(PlanError) {
        guard Folder.exists(servers) else { return }
        let root = try Folder(path: servers)
        guard let game = try root.folder(server.game) else { return }
        try game.removeTree(server.camp)
        root.removeIfEmpty(server.game)
    }

    /// Whether there is such a folder.
    package var exists: Bool { Folder.exists(path) }
}

extension Folder {
    fileprivate func removeIfEmpty(_ name: String) { unlinkat(descriptor, name, AT_REMOVEDIR) }

    /// Gives one file to `owner`, as ``giveTree(to:)`` does.
    func give(_ name: String, to owner: Owner) throws(PlanError) {
        guard fchownat(descriptor, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) != 0, errno != EPERM else {
            return
        }
        throw .last("\(path)/\(name)")
    }
}

extension ServerFolder {
    /// Whether a `config.json` stands in the folder.
    package var hasConfig: Bool { hasFile(Self.configFile) }

    /// Takes back what makes the folder a server's; all else stays.
    package func removeConfig() throws(PlanError) {
        guard let folder = try open() else { return }
        try folder.removeTree(Self.configFile)
        try folder.removeTree(Self.composeFile)
    }
}
