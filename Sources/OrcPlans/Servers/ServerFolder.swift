import Glibc
package import OrcContract
import OrcCore
package import OrcEngine

/// One server's folder: `<root>/servers/<game>/<camp>`.
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

    package var path: String { "\(servers)/\(server.game)/\(server.camp)" }

    func open() throws(PlanError) -> DirectoryHandle? {
        guard DirectoryHandle.exists(servers) else { return nil }
        return try DirectoryHandle(path: servers).folder(server.game)?.folder(server.camp)
    }

    /// Reads `config.json`; nil where there is none.
    package func config() throws(PlanError) -> ServerConfig? {
        guard let bytes = try open()?.read(Self.configFile, limit: PlanCatalogue.maxBytes) else { return nil }
        return try ServerConfig(
            PlanCatalogue.json(bytes, file: "servers/\(server.game)/\(server.camp)/\(Self.configFile)"), server: server)
    }

    /// What a creation puts into the folder beside the plan's own files.
    package struct Contents: Sendable {
        package let config: ServerConfig
        /// Path below the folder to what goes there.
        package let files: [(path: String, bytes: [UInt8])]
        package let owner: DirectoryHandle.Owner

        package init(config: ServerConfig, files: [(path: String, bytes: [UInt8])], owner: DirectoryHandle.Owner) {
            self.config = config
            self.files = files
            self.owner = owner
        }
    }

    /// Makes the folder where there is none.
    ///
    /// Answers whether it is new: what was there before is its owner's.
    package func make() throws(PlanError) -> Bool {
        let root = try DirectoryHandle(path: servers)
        guard root.freeBytes ?? .max >= Self.leastRoom else { throw .noSpace(path: path) }
        return try root.makingFolder(server.game).makeNew(server.camp)
    }

    /// Bytes that must be free for a new server: what is left below that is for those that are there.
    private static let leastRoom = 2 << 20

    /// Fills the folder of a new server; what its owner has put there before stays.
    package func fill(_ contents: Contents, planFolder: DirectoryHandle?) throws(PlanError) {
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
        try give(folder, to: contents.owner)
    }

    /// Gives what the game works on to `owner`; the folder itself, and what says how its container is made, stay the
    /// agent's: whoever could write these could give the container more than its plan does.
    private func give(_ folder: DirectoryHandle, to owner: DirectoryHandle.Owner) throws(PlanError) {
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

    /// Takes over what PEON's orchestrator, or an earlier agent, gave to the games' user.
    package func secure() throws(PlanError) { try open()?.keep(Self.agentsFiles) }

    /// Whether nobody but the agent, and root, can have written `config.json`; never where games run as the agent's own user.
    package func isConfigTrusted(owner: DirectoryHandle.Owner) throws(PlanError) -> Bool {
        guard owner.user != geteuid() else { return false }
        return try open()?.isKept(Self.configFile) ?? false
    }

    /// Writes `config.json` anew.
    package func write(_ config: ServerConfig) throws(PlanError) {
        try write(config.document.text(.pretty), to: Self.configFile)
    }

    /// Writes the `docker-compose.yml` of a container.
    ///
    /// It holds passwords, as `config.json` does: the agent's eyes only.
    package func writeCompose(_ spec: ContainerSpec, isPeons: Bool) throws(PlanError) {
        let text = ComposeFile.text(spec, isPeons: isPeons)
        let old = try open()?.read(Self.composeFile, limit: PlanCatalogue.maxBytes)
        if old != Array(text.utf8) { try write(text, to: Self.composeFile) }
    }

    private func write(_ text: String, to name: String) throws(PlanError) {
        guard let folder = try open() else { throw .unknownServer(server) }
        try folder.write(Array(text.utf8), to: name, mode: 0o600)
    }

    /// Makes sure that the folder can be removed: nothing is mounted on it or in it.
    package func checkRemovable() throws(PlanError) { try open()?.checkMounts() }

    /// Removes the folder with all that is in it, and the game's folder where that was the last of it.
    ///
    /// It is put aside first, so that a removal that is cut off leaves no half of a server; ``removeLeftovers(in:)`` goes on.
    ///
    /// `isOver`: whether to break off (``DirectoryHandle/removeTree(_:until:)``).
    package func remove(until isOver: @escaping () -> Bool = { false }) throws(PlanError) {
        try checkRemovable()
        guard DirectoryHandle.exists(servers) else { return }
        let root = try DirectoryHandle(path: servers)
        guard let game = try root.folder(server.game) else { return }
        // What an earlier removal could not remove is the server's still.
        let own = "\(Self.asidePrefix)\(server.camp)."
        for entry in try game.entries() where entry.name.hasPrefix(own) {
            try game.removeTree(entry.name, until: isOver)
        }
        let aside = own + String(UInt32.random(in: 0...UInt32.max), radix: 16)
        do { try game.rename(server.camp, to: aside) } catch {
            // Gone, or on a full disk: there may be no room for another name.
            try game.removeTree(server.camp, until: isOver)
        }
        try game.removeTree(aside, until: isOver)
        root.removeIfEmpty(server.game)
    }

    /// What a removed server's folder is called until it is gone: no server's name begins with a dot.
    private static let asidePrefix = ".orc-removed-"

    /// Removes what removals that were cut off have left below `servers`.
    ///
    /// `isOver`: whether to break off.
    package static func removeLeftovers(
        in servers: String, until isOver: @escaping () -> Bool = { false }
    ) throws(PlanError) {
        guard DirectoryHandle.exists(servers) else { return }
        let root = try DirectoryHandle(path: servers)
        for game in try root.entries() where game.kind == .folder {
            guard let folder = try root.folder(game.name) else { continue }
            for entry in try folder.entries() where entry.name.hasPrefix(asidePrefix) {
                try folder.removeTree(entry.name, until: isOver)
            }
            root.removeIfEmpty(game.name)
        }
    }

    /// Whether there is such a folder.
    package var exists: Bool { DirectoryHandle.exists(path) }
}

extension DirectoryHandle {
    /// Bytes that this process may still write on the folder's disk; nil where that cannot be told.
    fileprivate var freeBytes: Int? {
        var disk = statvfs()
        return fstatvfs(descriptor, &disk) == 0 ? Int(clamping: UInt64(disk.f_bavail) * UInt64(disk.f_frsize)) : nil
    }

    fileprivate func removeIfEmpty(_ name: String) { unlinkat(descriptor, name, AT_REMOVEDIR) }

    /// Takes this folder, and of its files these, for the agent itself; without the right to, all stays as it is.
    fileprivate func keep(_ names: Set<String>) {
        if fchown(descriptor, geteuid(), getegid()) == 0 { fchmod(descriptor, 0o755) }
        for name in names where kind(of: name) == .file {
            guard fchownat(descriptor, name, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            fchmodat(descriptor, name, 0o600, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// Whether nobody but this process's user and root can write the file `name`, or put another in its place.
    fileprivate func isKept(_ name: String) -> Bool {
        var folder = stat()
        var file = stat()
        guard fstat(descriptor, &folder) == 0, fstatat(descriptor, name, &file, AT_SYMLINK_NOFOLLOW) == 0 else {
            return false
        }
        return [folder, file].allSatisfy { status in
            (status.st_uid == 0 || status.st_uid == geteuid()) && status.st_mode & (S_IWGRP | S_IWOTH) == 0
        }
    }

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
