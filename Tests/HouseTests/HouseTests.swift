import Foundation
import Peon
import Testing

@testable import orc

/// The rules of the house, kept by reading the sources.
@Suite struct HouseTests {
    static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What each room may import; Swift's own modules stand in `everywhere`.
    static let rooms: [String: Set<String>] = [
        "Peon": [],
        "Plans": ["Peon", "CKernel", "CPCRE"],
        "Bus": ["Peon", "CMosquitto", "Logging"],
        "Docker": ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL"],
        "Store": ["Peon", "CSQLite"],
        "Agent": ["Peon", "Plans", "Bus", "Docker", "Store", "Logging", "ServiceLifecycle", "Subprocess", "Dispatch"],
        "Bridge": [
            "Peon", "Bus", "CCrypto", "HTTPTypes", "HummingbirdCore", "HummingbirdTLS", "Logging", "NIOCore",
            "NIOHTTP1",
            "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOPosix", "NIOSSL", "NIOWebSocket", "ServiceLifecycle",
        ],
        "orc": [
            "Peon", "Plans", "Bus", "Docker", "Store", "Agent", "Bridge", "CMalloc", "Logging", "ServiceLifecycle",
            "Subprocess", "SystemPackage", "UnixSignals", "ArgumentParser",
        ],
    ]
    static let everywhere: Set<String> = ["FoundationEssentials", "Glibc", "Synchronization"]

    static func sources() throws -> [(room: String, file: String, lines: [String])] {
        try rooms.keys.sorted().flatMap { room in
            let folder = package.appending(path: "Sources/\(room)")
            return try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().map { file in
                let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
                return (room, file, text.components(separatedBy: "\n"))
            }
        }
    }

    @Test func `a room imports what the table allows`() throws {
        for (room, file, lines) in try Self.sources() {
            for line in lines where line.contains("import ") && !line.contains("\"") {
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index + 1 < words.count, index <= 1,
                    !line.hasPrefix("//")
                else {
                    continue
                }
                let module = String(words[index + 1])
                #expect(
                    Self.rooms[room, default: []].union(Self.everywhere).contains(module), "\(room)/\(file): \(module)")
            }
        }
    }

    @Test func `every room of the sources stands in the table`() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Self.package.appending(path: "Sources").path())
        #expect(
            Set(folders)
                == Set(Self.rooms.keys).union(["CMosquitto", "CSQLite", "CCrypto", "CMalloc", "CKernel", "CPCRE"]))
    }

    @Test func `no file is too long, none forces its way`() throws {
        for (room, file, lines) in try Self.sources() {
            #expect(lines.count <= 300, "\(room)/\(file) has \(lines.count) lines")
            for line in lines where !line.contains("//") {
                #expect(!line.contains("try!") && !line.contains("fatalError("), "\(room)/\(file): \(line)")
            }
        }
    }

    @Test func `topics are spelt in the contract alone`() throws {
        for (room, file, lines) in try Self.sources() where room != "Peon" {
            for line in lines { #expect(!line.contains("\"peon/"), "\(room)/\(file): \(line)") }
        }
    }

    @Test func `the committed documents are what the code writes`() throws {
        let folder = Self.package.appending(path: "topics")
        for (path, text) in Documents.files {
            let committed = try? String(contentsOf: folder.appending(path: path), encoding: .utf8)
            #expect(committed == text, "topics/\(path): run `orc topics --write topics`")
        }
        let known = Set(Documents.files.map(\.path))
        for sub in ["schemas", "examples"] {
            for file in try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: sub).path()) {
                #expect(known.contains("\(sub)/\(file)"), "topics/\(sub)/\(file) is nobody's")
            }
        }
    }

    @Test func `the committed settings file is what the code writes`() throws {
        let committed = try String(contentsOf: Self.package.appending(path: "config/orc.env"), encoding: .utf8)
        #expect(
            committed == SettingsDocument.text + "\n", "config/orc.env: run `orc topics --settings > config/orc.env`")
    }
}
