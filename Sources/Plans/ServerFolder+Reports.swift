package import FoundationEssentials
package import Peon

extension ServerFolder {
    /// Bounds of what is reported of a `config` folder: files, and bytes of each.
    private static let maxReportedFiles = 64
    private static let maxReadBytes = 64 * 1024
    private static let maxReportedCharacters = 2048

    /// The files of the server's `config` folder, name to trimmed text, secrets masked; what is not text is left out.
    package func configReport(secrets: Secrets) throws(PlanError) -> [StateReport.ConfigFile] {
        guard let folder = try configFolder() else { return [] }
        var report: [StateReport.ConfigFile] = []
        for entry in try folder.entries(limit: Self.maxReportedFiles) where entry.kind == .file {
            guard let bytes = try folder.read(entry.name, limit: Self.maxReadBytes),
                let text = String(validating: bytes, as: UTF8.self)
            else { continue }
            let masked = secrets.masked(text.trimmingBlanks, named: entry.name)
            report.append(.init(name: entry.name, value: String(masked.prefix(Self.maxReportedCharacters))))
        }
        return report
    }

    /// What PEON's images say of themselves in `config/state`, and when they said it; nil where they do not.
    package func stateFile() throws(PlanError) -> (word: String, at: Date)? {
        guard let folder = try configFolder(), let modified = folder.modified("state"),
            let bytes = try folder.read("state", limit: 256)
        else { return nil }
        let word = String(decoding: bytes, as: UTF8.self).trimmingBlanks
        return (word, Date(timeIntervalSince1970: modified))
    }

    private func configFolder() throws(PlanError) -> Folder? {
        guard exists else { return nil }
        return try Folder(path: path).folder("config")
    }

    /// Every server that has a `config.json` below `servers`; what cannot be read is named in `complaints`.
    package static func all(in servers: String) throws(PlanError) -> (found: [ServerFolder], complaints: [PlanError]) {
        guard Folder.exists(servers) else { return ([], []) }
        let root = try Folder(path: servers)
        var found: [ServerFolder] = []
        var complaints: [PlanError] = []
        for game in try root.entries() where game.kind == .folder {
            do { found += try camps(of: game.name, in: root, servers: servers, complaints: &complaints) } catch {
                complaints.append(error)
            }
        }
        return (found, complaints)
    }

    private static func camps(
        of game: String, in root: Folder, servers: String, complaints: inout [PlanError]
    ) throws(PlanError) -> [ServerFolder] {
        guard let folder = try root.folder(game) else { return [] }
        var found: [ServerFolder] = []
        for camp in try folder.entries() where camp.kind == .folder {
            guard let server = ServerID(game: game, camp: camp.name) else { continue }
            do throws(PlanError) {
                guard try folder.folder(camp.name)?.kind(of: configFile) == .file else { continue }
                found.append(ServerFolder(server, in: servers))
            } catch {
                complaints.append(error)
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
