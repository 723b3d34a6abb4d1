package import Foundation
package import OrcDocker
package import Testing

/// What the tests find around them; `scripts/test` sets it up.
package enum Testbed {
    /// The socket of an engine that was started for the tests alone.
    package static func engine() throws -> DockerClient { DockerClient(.unix(path: try engineSocket())) }

    package static func engineSocket() throws -> String {
        guard let path = ProcessInfo.processInfo.environment["TESTBED_ENGINE"], !path.isEmpty else {
            throw Missing("TESTBED_ENGINE, a Docker engine's socket: run scripts/test")
        }
        return path
    }

    /// A folder with PEON's war plans and recordings, which are not part of this repository; tests that need it say so
    /// by ``needsCorpus``.
    package static func corpus() throws -> URL {
        guard let path = corpusPath else { throw Missing("TESTBED_CORPUS, a folder with warplans and peon-v1") }
        return URL(filePath: path)
    }

    package static var hasCorpus: Bool { corpusPath != nil }

    private static var corpusPath: String? {
        ProcessInfo.processInfo.environment["TESTBED_CORPUS"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Plans of this repository, one for each oddity of real war plans.
    package static let samplePlans = package.appending(path: "Tests/plans")

    /// The folders of war plans that are here: the samples, and PEON's where there is a corpus.
    package static func planFolders() throws -> [URL] {
        hasCorpus ? [samplePlans, try corpus().appending(path: "warplans")] : [samplePlans]
    }

    /// A program from PyPI, or the Python that has their modules.
    package static func tool(_ name: String) throws -> String {
        guard let folder = ProcessInfo.processInfo.environment["TESTBED_TOOLS"] else {
            throw Missing("TESTBED_TOOLS, a folder of programs from PyPI: run scripts/test")
        }
        return "\(folder)/\(name)"
    }

    package struct Missing: Error, CustomStringConvertible {
        package let description: String
        package init(_ what: String) { description = "missing: \(what)" }
    }

    /// The folder of the package.
    package static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The program under test, built beside the tests.
    package static let program: String = {
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        for argument in CommandLine.arguments + [tests] where argument.contains("/orcPackageTests.xctest") {
            return URL(filePath: argument.components(separatedBy: "/orcPackageTests.xctest")[0]).appending(path: "orc")
                .path()
        }
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "orc").path()
    }()

    /// Runs `body` with a new, empty folder.
    package static func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "orc-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    /// A TCP port of loopback that was free a moment ago.
    package static func freePort() -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = bind(descriptor, generic, length)
                _ = getsockname(descriptor, generic, &length)
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    package static func answers(port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// Ends a wait that takes too long.
package struct Overdue: Error, CustomStringConvertible {
    package let description: String
    package init(_ what: String) { description = "waited in vain for \(what)" }
}

/// Runs `body`, but no longer than `limit`.
package func within<Result: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw Overdue(what)
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw Overdue(what) }
        return result
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test where PEON's war plans and recordings are missing.
    package static var needsCorpus: Self {
        .enabled(if: Testbed.hasCorpus, "needs PEON's war plans and recordings: set TESTBED_CORPUS to their folder")
    }

    /// Skips the test where there is no Docker engine of the tests' own.
    package static var needsEngine: Self {
        .enabled(if: (try? Testbed.engineSocket()) != nil, "needs an engine of its own: run scripts/test")
    }
}
