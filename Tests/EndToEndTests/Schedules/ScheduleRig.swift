import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import Testbed

extension Probe {
    /// Waits for an event of a schedule.
    @discardableResult
    func event(
        _ type: SchedulerEvent, of schedule: String, after mark: Int = 0, limit: Duration = .seconds(20)
    ) async throws -> JSON {
        try await report(topics.schedulerEvent, "\(schedule): \(type)", after: mark, limit: limit) { event in
            event["event_type"]?.string == type.rawValue && event["data"]?["schedule"]?.string == schedule
        }
    }

    /// What has been told of a schedule, in order.
    func schedulerEvents(of schedule: String, after mark: Int = 0) -> [String] {
        messages.dropFirst(mark).filter { $0.topic == topics.schedulerEvent }.compactMap { message in
            guard let event = try? JSON.parse(message.payload), event["data"]?["schedule"]?.string == schedule else {
                return nil
            }
            return event["event_type"]?.string
        }
    }
}

extension Rig {
    /// What the game has been told at its console, in order.
    func heard(by server: ServerID) async throws -> [String] {
        let log = try await docker("logs", "peon.warcamp.\(server.uid)")
        return log.split(separator: "\n").filter { $0.hasPrefix("heard ") }.map { String($0.dropFirst("heard ".count)) }
    }

    /// Ends the agent at once, and starts another run of it.
    func killAgent(_ probe: Probe, settings: [String: String] = [:]) async throws {
        try await endAgent()
        let mark = probe.mark
        try await startAgent(settings)
        try await probe.isOnline(after: mark)
    }
}

/// A clock on the wall that a test sets, for programs that are started with it; `Tests/clock` says how.
struct FakeClock {
    private let file: URL
    private let library: URL

    init(_ folder: URL) async throws {
        file = folder.appending(path: "clock")
        library = folder.appending(path: "clock.so")
        let source = Testbed.package.appending(path: "Tests/clock/clock.c").path()
        try await output("clang", ["-shared", "-fPIC", "-O2", "-o", library.path(), source])
    }

    /// `seconds`: by which it goes before the real one.
    func set(ahead seconds: Int) throws { try "\(seconds)".write(to: file, atomically: true, encoding: .utf8) }

    var settings: [String: String] { ["LD_PRELOAD": library.path(), "TESTBED_CLOCK": file.path()] }
}
