import Peon

extension ServerFolder {
    /// Bounds of what is reported of a `config` folder: files, and bytes of each.
    private static let maxReportedFiles = 64
    private static let maxReportedBytes = 2048

    /// The files of the server's `config` folder, name to trimmed text, secrets masked; what is not text is left out.
    package func configReport(secrets: Secrets) throws(PlanError) -> [(name: String, value: String)] {
        guard let folder = try configFolder() else { return [] }
        var report: [(name: String, value: String)] = []
        for entry in try folder.entries(limit: Self.maxReportedFiles) where entry.kind == .file {
            guard let bytes = try folder.read(entry.name, limit: Self.maxReportedBytes),
                let text = String(validating: bytes, as: UTF8.self)
            else { continue }
            report.append((entry.name, secrets.masked(text.trimmingBlanks, named: entry.name)))
        }
        return report
    }

    private func configFolder() throws(PlanError) -> Folder? {
        guard exists else { return nil }
        return try Folder(path: path).folder("config")
    }

    /// Every server that has a `config.json` below `servers`.
    package static func all(in servers: String) throws(PlanError) -> [ServerFolder] {
        guard Folder.exists(servers) else { return [] }
        let root = try Folder(path: servers)
        var found: [ServerFolder] = []
        for game in try root.entries() where game.kind == .folder {
            guard let folder = try root.folder(game.name) else { continue }
            for camp in try folder.entries() where camp.kind == .folder {
                guard let server = ServerID(game: game.name, camp: camp.name),
                    try folder.folder(camp.name)?.kind(of: configFile) == .file
                else { continue }
                found.append(ServerFolder(server, in: servers))
            }
        }
        return found
    }
}

extension String {
    /// Without blanks and line ends on either side.
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace || $0.isNewline }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
