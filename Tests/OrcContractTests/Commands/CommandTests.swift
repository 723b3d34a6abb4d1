import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct CommandTests {
    private let reader = CommandParser(topics: Topics(host: HostName("h")!))
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func command(_ path: String, _ payload: JSON) throws(CommandRejection) -> Command? {
        try reader.read(CommandMessage(topic: "peon/h/cmd/\(path)", payload: payload.bytes), now: now)
    }

    @Test func `the time of a scheduled stop may have passed by a minute`() throws {
        func stop(_ time: String) throws(CommandRejection) -> Command? {
            try command("server/a-b/schedule", ["now": "stop", "epoch_time": .number(time)])
        }
        #expect(try stop("1799999940")?.sessionEnd == now.addingTimeInterval(-60))
        let error = #expect(throws: CommandRejection.self) { try stop("1799999939") }
        #expect(error?.code == .badArguments)
    }

    @Test(arguments: [
        ("stop", Role.operator), ("get", .operator), ("eradicate", .admin), ("destroy", .admin),
    ])
    func `a command that creates a schedule requires the role of the schedule's actions`(action: String, role: Role)
        throws
    {
        let command = try command("server/a-b/schedule", ["in": "5m", "action": .string(action)])
        #expect(command?.role == role)
    }

    @Test func `a command that creates no schedule requires the role of its action`() throws {
        #expect(try command("server/a-b/get", [:])?.role == .viewer)
        #expect(try command("server/a-b/eradicate", [:])?.role == .admin)
    }
}
