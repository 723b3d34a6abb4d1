package import FoundationEssentials
package import OrcContract
import OrcCore
import OrcFiles

extension ServerFolder {
    /// Bounds of the report of a `config` folder, which a game may write: number of files, bytes read of each, and
    /// bytes reported of each and of all.
    private static let maxReportedFiles = 64
    private static let maxReadBytes = 4096
    private static let maxReportedBytes = (each: 2048, all: 16 << 10)

    /// Returns the files of the server's `config` folder, name to trimmed text, with secrets redacted.
    ///
    /// Files that are not text and everything beyond the bounds are left out.
    package func configReport(secrets: SecretRedactor) throws -> [StateReport.ConfigFile] {
        guard let folder = try configFolder() else { return [] }
        var report: [StateReport.ConfigFile] = []
        var room = Self.maxReportedBytes.all
        for entry in try folder.entries(limit: Self.maxReportedFiles) where entry.kind == .file {
            guard let bytes = try folder.read(entry.name, limit: Self.maxReadBytes), let text = Self.text(bytes) else {
                continue
            }
            let masked = secrets.masked(text.trimmingBlanks, named: entry.name).printableLines
            let name = entry.name.printable
            room -= name.utf8.count
            guard room > 0 else { break }
            let value = masked.prefix(bytes: min(Self.maxReportedBytes.each, room))
            room -= value.utf8.count
            report.append(.init(name: name, value: value))
        }
        return report
    }

    /// Returns the bytes as text, without an incomplete character at the end; nil if the bytes are not text.
    private static func text(_ bytes: [UInt8]) -> String? {
        for cut in 0...(bytes.count == maxReadBytes ? 3 : 0) {
            if let text = String(validating: bytes.dropLast(cut), as: UTF8.self) { return text }
        }
        return nil
    }

    /// Returns the state that PEON's images write into `config/state`, and the modification time of that file.
    ///
    /// Returns nil if there is no such file.
    package func stateFile() throws -> (word: String, at: Date)? {
        guard let folder = try configFolder(), let modified = folder.modified("state"),
            let bytes = try folder.read("state", limit: 256)
        else { return nil }
        let word = String(decoding: bytes, as: UTF8.self).trimmingBlanks
        return (word, Date(timeIntervalSince1970: modified))
    }

    private func configFolder() throws -> DirectoryHandle? { try DirectoryHandle.opened(path)?.folder("config") }

    /// Returns every server that has a `config.json` below `servers`; folders that cannot be read are named in
    /// `complaints`.
    package static func all(in servers: String) throws -> (found: [ServerFolder], complaints: [any Error]) {
        guard let root = DirectoryHandle.opened(servers) else { return ([], []) }
        var found: [ServerFolder] = []
        var complaints: [any Error] = []
        for game in try root.entries() where game.kind == .folder {
            do { found += try camps(of: game.name, in: root, servers: servers, complaints: &complaints) } catch {
                complaints.append(error)
            }
        }
        return (found, complaints)
    }

    private static func camps(
        of game: String, in root: DirectoryHandle, servers: String, complaints: inout [any Error]
    ) throws -> [ServerFolder] {
        guard let folder = try root.folder(game) else { return [] }
        var found: [ServerFolder] = []
        for name in try folder.entries() where name.kind == .folder {
            guard let server = ServerID(game: game, name: name.name) else { continue }
            do {
                guard try folder.folder(name.name)?.kind(of: configFile) == .file else { continue }
                found.append(ServerFolder(server, in: servers))
            } catch {
                complaints.append(error)
            }
        }
        return found
    }
}

extension String {
    /// The text without blanks and line ends at its start and end.
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace || $0.isNewline }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
