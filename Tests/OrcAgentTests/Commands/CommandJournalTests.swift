import Foundation
import Logging
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage
import Testbed
import Testing

@testable import OrcAgent
@testable import OrcMetrics

@Suite struct CommandJournalTests {
    private let reader = CommandParser(topics: Topics(host: HostName("h")!))

    private func message(_ id: String, _ action: ServerAction = .restart) -> CommandMessage {
        CommandMessage(
            topic: reader.topics.command(action, "a-b"),
            payload: Array(#"{"id": "\#(id)", "PASSWORD": "hunter22"}"#.utf8))
    }

    private func command(_ id: String, at date: Date = Date(), _ action: ServerAction = .restart) throws -> Command {
        try #require(try reader.read(message(id, action), now: date))
    }

    private func journal(_ store: StateStore, now: Date = Date()) throws -> CommandJournal {
        try CommandJournal(store: store, now: now, logger: Logger(label: "test"))
    }

    private func withStore(_ body: (StateStore) throws -> Void) async throws {
        try await Testbed.withFolder { try body(try StateStore(path: $0.appending(path: "orc.db").path())) }
    }

    private func finish(_ command: Command, in journal: CommandJournal) -> [ReplyRoute] {
        let reply = command.reply(.ok)
        return journal.finish(
            command, with: reply, AuditLog.entry(command, reply, secrets: SecretRedactor(environment: [:])))
    }

    private func isNew(_ sighting: CommandJournal.Sighting) -> Bool { if case .new = sighting { true } else { false } }

    @Test func `a command under way is known however many come after it`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            let first = try command("first")
            #expect(isNew(journal.take(first, message("first"))))
            for number in 0..<5000 {
                let other = try command("\(number)")
                guard isNew(journal.take(other, message("\(number)"))) else { return #expect(Bool(false)) }
                _ = finish(other, in: journal)
            }
            guard case .running = journal.take(try command("first"), message("first")) else {
                return #expect(Bool(false), "it would run twice")
            }
            // What memory has had to forget is known from the disk.
            guard case .done = journal.take(try command("0"), message("0")) else { return #expect(Bool(false)) }
        }
    }

    @Test func `what an earlier run left is known for what it is`() async throws {
        try await withStore { store in
            let earlier = try journal(store)
            for id in ["waiting", "begun", "unsent", "sent"] { _ = earlier.take(try command(id), message(id)) }
            for id in ["begun", "unsent", "sent"] { earlier.begin(try command(id)) }
            for id in ["unsent", "sent"] { _ = finish(try command(id), in: earlier) }
            earlier.noteSent(try command("sent"))
            earlier.flush()
            let left = try journal(store, now: Date()).takeLeft()
            #expect(left.map { $0.key.split(separator: " ").last } == ["waiting", "begun", "unsent"])
            #expect(left.map(\.hasBegun) == [false, true, true])
            #expect(left.map { $0.reply?.status } == [nil, nil, .ok])
            #expect(
                left.allSatisfy { $0.message.payload == message(String($0.key.split(separator: " ").last!)).payload })
        }
    }

    @Test func `what there was no room for may come again`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            let command = try command("again")
            #expect(isNew(journal.take(command, message("again"))))
            journal.forget(command)
            #expect(isNew(journal.take(command, message("again"))))
        }
    }

    @Test func `who sends a command again while it runs is told its end too`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            let first = try command("x")
            #expect(isNew(journal.take(first, message("x"))))
            for name in ["one", "two"] {
                var again = try command("x")
                let route = ReplyRoute(mirror: first.route.mirror, topic: "peon/h/reply/\(name)", correlation: nil)
                again = Command(
                    target: again.target, id: again.id, arguments: again.arguments, route: route, by: nil,
                    receivedAt: again.receivedAt)
                guard case .running = journal.take(again, message("x")) else { return #expect(Bool(false)) }
            }
            #expect(finish(first, in: journal).map(\.topic) == ["peon/h/reply/one", "peon/h/reply/two"])
            #expect(finish(first, in: journal).isEmpty)
        }
    }

    @Test func `what is forgotten is not taken up by the next run of the agent`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            for id in ["kept", "forgotten"] { _ = journal.take(try command(id), message(id)) }
            journal.forget(try command("forgotten"))
            journal.flush()
            let left = try self.journal(store).takeLeft()
            #expect(left.map { $0.key.split(separator: " ").last } == ["kept"])
        }
    }

    @Test func `a command is forgotten after a quarter of an hour, unless it still runs`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            let start = Date()
            func take(_ id: String, after seconds: Double) throws -> CommandJournal.Sighting {
                journal.take(try command(id, at: start.addingTimeInterval(seconds)), message(id))
            }
            _ = try take("running", after: 0)
            _ = try take("done", after: 0)
            _ = finish(try command("done", at: start), in: journal)
            _ = try take("later", after: 901)
            #expect(isNew(try take("done", after: 902)))
            guard case .running = try take("running", after: 902) else { return #expect(Bool(false)) }
        }
    }

    @Test func `a command that only schedules is repeated after a death, a cancellation is not`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            for (index, action) in [ServerAction.unschedule, .cancel].enumerated() {
                let asked = try command(action.rawValue, at: Date().addingTimeInterval(Double(index)), action)
                _ = journal.take(asked, message(action.rawValue, action))
                journal.begin(asked)
            }
            #expect(try self.journal(store).takeLeft().map(\.hasBegun) == [false, true])
        }
    }

    @Test func `what asks and changes nothing is not noted`() async throws {
        try await withStore { store in
            let journal = try journal(store)
            for _ in 0..<2 { #expect(isNew(journal.take(try command("x", .get), message("x", .get)))) }
            #expect(try store.journal(since: .distantPast).isEmpty)
        }
    }
}

extension CommandJournal {
    /// As the intake does: looks whether a command has been seen, and notes it where it has not.
    fileprivate func take(_ command: Command, _ message: CommandMessage) -> Sighting {
        let sighting = sighting(of: command)
        if case .new = sighting { admit(command, message) }
        return sighting
    }
}
