import Foundation
import Glibc
import Testbed
import Testing

/// What a service manager is told, and what its units keep the program to.
extension EndToEnd {
    @Suite struct WatchdogTests {
        /// A socket that systemd would listen on.
        private final class Manager: Sendable {
            let path: String
            private let descriptor: Int32

            init(_ path: String) throws {
                self.path = path
                descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
                let size = socklen_t(MemoryLayout<sockaddr_un>.size)
                let result = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
                }
                try #require(result == 0)
            }

            deinit { close(descriptor) }

            /// All that has been said since it was asked last.
            func words() -> [String] {
                var words: [String] = []
                var buffer = [UInt8](repeating: 0, count: 256)
                while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                    words.append(String(decoding: buffer[..<count], as: UTF8.self))
                }
                return words
            }
        }

        @Test func `systemd is told that the program is up, lives, and ends, and hears nothing of one that is stuck`()
            async throws
        {
            try await Testbed.withFolder { folder in
                let manager = try Manager(folder.appending(path: "notify").path())
                let settings = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "300000"]
                try await OrcProcess.with(settings: settings) { orc in
                    try await Task.sleep(for: .seconds(1))
                    let words = manager.words()
                    #expect(words.first == "READY=1" && words.count { $0 == "WATCHDOG=1" } >= 3, "\(words)")
                    let process = try #require(try await Self.process(of: orc.root))
                    kill(process, SIGSTOP)
                    try await Task.sleep(for: .milliseconds(300))
                    _ = manager.words()
                    try await Task.sleep(for: .seconds(1))
                    let silence = manager.words()
                    kill(process, SIGCONT)
                    #expect(silence.isEmpty, "\(silence)")
                }
                #expect(manager.words().last == "STOPPING=1")
            }
        }

        /// The agent that works on a root.
        private static func process(of root: URL) async throws -> Int32? {
            for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
                guard let number = Int32(name),
                    let environment = FileManager.default.contents(atPath: "/proc/\(name)/environ"),
                    let command = FileManager.default.contents(atPath: "/proc/\(name)/cmdline"),
                    String(decoding: command, as: UTF8.self).hasPrefix(Testbed.program),
                    String(decoding: environment, as: UTF8.self).contains("ORC_ROOT=\(root.path())")
                else { continue }
                return number
            }
            return nil
        }

        @Test(arguments: ["orc.service", "orc-bridge.service"])
        func `a unit leaves the program little of the machine`(unit: String) async throws {
            let file = Testbed.package.appending(path: "config/\(unit)").path()
            let report = try await output("systemd-analyze", ["security", "--offline=true", "--threshold=40", file])
            #expect(report.contains("Overall exposure level"), "\(report.suffix(200))")
        }
    }
}
