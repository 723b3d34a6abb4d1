import Foundation
import OrcContract
import OrcCore
import OrcPlans
import Testbed
import Testing

/// The report of a `config` folder.
@Suite struct ServerFolderReportsTests {
    private func report(of files: [String: String]) async throws -> [StateReport.ConfigFile] {
        try await Testbed.withFolder { servers in
            let folder = ServerFolder(ServerID(uid: "x.one")!, in: servers.path())
            let config = URL(filePath: folder.path).appending(path: "config")
            try FileManager.default.createDirectory(at: config, withIntermediateDirectories: true)
            for (name, text) in files { try Data(text.utf8).write(to: config.appending(path: name)) }
            return try folder.configReport(secrets: SecretRedactor(environment: [:]))
        }
    }

    @Test(arguments: 0..<4) func `a file that is read in part may end inside a character`(shift: Int) async throws {
        let text = String(repeating: "x", count: shift) + String(repeating: "😀", count: 2000)
        let files = try await report(of: ["long": text])
        #expect(files.map(\.name) == ["long"] && files[0].value.hasPrefix(text.prefix(400)))
    }

    @Test func `each file and the whole report are bounded`() async throws {
        let files = (10..<40).map { ("file\($0)", String(repeating: "x", count: 3000)) }
        let report = try await report(of: Dictionary(uniqueKeysWithValues: files))
        #expect(report.allSatisfy { $0.value.utf8.count <= 2048 } && report.count >= 7)
        // The last file is cut to the room that is left.
        #expect(report.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count } == 16 << 10)
    }
}
