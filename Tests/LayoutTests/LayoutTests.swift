import Foundation
import OrcContract
import OrcCore
import OrcDocuments
import Testing

@testable import orc

/// The layout of the sources, checked by reading them.
@Suite struct LayoutTests {
    static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The modules that each target may import, besides `everywhere`.
    static let imports: [String: Set<String>] = [
        "OrcCore": ["Dispatch"],
        "OrcContract": ["OrcCore"],
        "OrcDocuments": ["OrcCore", "OrcContract"],
        "OrcEngine": ["OrcCore", "OrcContract"],
        "OrcFiles": ["OrcCore", "CKernel"],
        "OrcPlans": ["OrcCore", "OrcContract", "OrcEngine", "OrcFiles", "CPCRE"],
        "OrcMQTT": ["OrcCore", "OrcContract", "CMosquitto", "Logging"],
        "OrcDocker": [
            "OrcCore", "OrcContract", "OrcEngine", "Logging", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "Subprocess",
        ],
        "OrcStorage": ["OrcCore", "OrcContract", "CSQLite"],
        "OrcMetrics": ["OrcCore", "OrcContract", "Dispatch"],
        "OrcScheduling": ["OrcCore", "OrcContract", "OrcStorage", "Logging"],
        "OrcAgent": [
            "OrcCore", "OrcContract", "OrcPlans", "OrcMQTT", "OrcEngine", "OrcFiles", "OrcStorage",
            "OrcMetrics", "OrcScheduling", "Logging", "ServiceLifecycle", "Subprocess", "Dispatch",
        ],
        "OrcBridge": [
            "OrcCore", "OrcContract", "OrcDocuments", "OrcMQTT", "CCrypto", "HTTPTypes", "HummingbirdCore",
            "HummingbirdTLS", "Logging", "NIOCore", "NIOHTTP1", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOPosix",
            "NIOSSL", "NIOWebSocket", "ServiceLifecycle",
        ],
        "orc": [
            "OrcCore", "OrcContract", "OrcDocuments", "OrcFiles", "OrcPlans", "OrcMQTT", "OrcDocker", "OrcStorage",
            "OrcAgent", "OrcBridge", "CMalloc", "Logging", "ServiceLifecycle", "Subprocess", "SystemPackage",
            "UnixSignals",
            "ArgumentParser",
        ],
    ]
    static let everywhere: Set<String> = ["FoundationEssentials", "Glibc", "Synchronization"]
    static let libraries: Set<String> = ["CMosquitto", "CSQLite", "CCrypto", "CMalloc", "CKernel", "CPCRE"]
    private static let mostFilesInFolder = 12

    struct Source {
        let target: String
        /// Below `Sources`.
        let path: String
        let lines: [String]
        var name: String { String(path.split(separator: "/").last?.dropLast(".swift".count) ?? "") }
        var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
    }

    static func sources() throws -> [Source] {
        let root = package.appending(path: "Sources")
        return try FileManager.default.subpathsOfDirectory(atPath: root.path()).sorted()
            .filter { $0.hasSuffix(".swift") }.map { path in
                let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
                let target = String(path.prefix { $0 != "/" })
                return Source(target: target, path: path, lines: text.components(separatedBy: "\n"))
            }
    }

    @Test func `a target imports what the table allows`() throws {
        for source in try Self.sources() {
            for line in source.lines where line.contains("import ") && !line.contains("\"") {
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index + 1 < words.count, index <= 1,
                    !line.hasPrefix("//")
                else {
                    continue
                }
                let module = String(words[index + 1])
                #expect(
                    Self.imports[source.target, default: []].union(Self.everywhere).contains(module),
                    "\(source.path): \(module)")
            }
        }
    }

    @Test func `every target stands in the table`() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Self.package.appending(path: "Sources").path())
        #expect(Set(folders) == Set(Self.imports.keys).union(Self.libraries))
    }

    @Test func `a folder holds one subject, in at most twelve files`() throws {
        let folders = Dictionary(grouping: try Self.sources(), by: \.folder)
        for (folder, sources) in folders {
            #expect(sources.count <= Self.mostFilesInFolder, "Sources/\(folder) has \(sources.count) files")
        }
    }

    @Test func `a file bears the name of its main type, and no type that of a target`() throws {
        for source in try Self.sources() {
            let type = source.name.prefix { $0 != "+" }
            let declarations = source.lines.filter { $0.first?.isLetter == true }.compactMap { line in
                line.firstMatch(
                    of: /^(?:[a-z@][A-Za-z]* )*(?:struct|class|enum|actor|protocol|extension) ([A-Za-z0-9.]+)/)
            }.map { String($0.1) }
            #expect(
                declarations.contains { $0.split(separator: ".").contains(type) },
                "\(source.path) declares \(declarations)")
            #expect(!declarations.contains { Self.imports[$0] != nil }, "\(source.path)")
        }
    }

    @Test func `no file is too long, none forces its way`() throws {
        for source in try Self.sources() {
            #expect(source.lines.count <= 300, "\(source.path) has \(source.lines.count) lines")
            for line in source.lines where !line.contains("//") {
                #expect(!line.contains("try!") && !line.contains("fatalError("), "\(source.path): \(line)")
            }
        }
    }

    @Test func `topics are spelt in the contract alone`() throws {
        for source in try Self.sources() where !["OrcContract", "OrcDocuments"].contains(source.target) {
            for line in source.lines { #expect(!line.contains("\"peon/"), "\(source.path): \(line)") }
        }
    }

    @Test func `the committed documents are what the code writes`() throws {
        let folder = Self.package.appending(path: "topics")
        for (path, text) in ContractDocuments.files {
            let committed = try? String(contentsOf: folder.appending(path: path), encoding: .utf8)
            #expect(committed == text, "topics/\(path): run `orc topics --write topics`")
        }
        let known = Set(ContractDocuments.files.map(\.path))
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
