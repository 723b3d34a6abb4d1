package import Foundation
import Subprocess
import SystemPackage

/// A program that is started, killed and started again in the course of one test.
package final class Daemon: Sendable {
    package let pid: Int32

    private init(pid: Int32) { self.pid = pid }

    /// Starts it, with its output in `log`.
    package static func start(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], log: URL
    ) async throws -> Daemon {
        // The shell ends at once; what it leaves running is known by its number.
        let words = ["-c", #"log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & echo $!"#, "sh", log.path(), program]
        let text = try await output("/bin/sh", words + arguments, environment: environment)
        guard let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Overdue("\(program) to be started")
        }
        return Daemon(pid: pid)
    }

    /// Ends it and waits until it is gone.
    package func end(_ signal: Int32 = SIGKILL) async throws {
        kill(pid, signal)
        try await within(.seconds(15), "process \(pid) to end") { [self] in
            while isAlive { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    package func send(_ signal: Int32) { kill(pid, signal) }

    package var isAlive: Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        guard status.split(separator: ")").last?.split(separator: " ").first == "Z" else { return true }
        // The first thread may be gone while others still hold what the process holds.
        return (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"))?.count ?? 0 > 1
    }

    /// Bytes that it has in memory.
    package var residentBytes: Int {
        let statm = (try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8)) ?? ""
        return (statm.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
    }
}

/// Runs a program to its end and answers what it printed; one that fails throws, unless it ends with a code of `allowing`.
@discardableResult
package func output(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], allowing codes: Set<Int32> = []
) async throws -> String {
    let changes: [Environment.Key: String?] = Dictionary(
        uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })
    let path =
        (ProcessInfo.processInfo.environment["PATH"] ?? "")
        + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    let result = try await Subprocess.run(
        program.contains("/") ? .path(FilePath(program)) : .name(program), arguments: Arguments(arguments),
        environment: .inherit.updating(["PATH": path]).updating(changes), output: .string(limit: 1 << 20),
        error: .string(limit: 1 << 20))
    var isAllowed = result.terminationStatus.isSuccess
    if case .exited(let code) = result.terminationStatus { isAllowed = isAllowed || codes.contains(Int32(code)) }
    guard isAllowed else {
        throw Overdue("\(program) \(arguments): \(result.standardError)")
    }
    return result.standardOutput
}

/// What a newcomer to a broker finds retained, a line each, in mosquitto_sub's `format`.
///
/// mosquitto_sub ends by a signal that it now and then takes amid its own locks, and hangs: then it is asked again.
package func retainedLines(port: Int, topic: String = "#", format: String) async throws -> String {
    let script = """
        for attempt in 1 2 3; do
            timeout -s KILL 10 mosquitto_sub "$@" --retained-only -W 1
            case $? in 0 | 27) exit 0 ;; esac
        done
        exit 1
        """
    return try await output("sh", ["-c", script, "sh", "-p", "\(port)", "-t", topic, "-F", format])
}
