import Foundation
import OrcContract
import OrcCore
import Testing

/// The whole machine: every state with every sign.
@Suite struct ServerStateMachineTests {
    private static let signs: [(name: String, input: ServerInput)] = [
        ("starts", .starts), ("start fails", .startFails("r")), ("stops", .stops), ("comes up", .comesUp(isNew: true)),
        ("ready", .isReady), ("unready", .isUnready("r")), ("paused", .isPaused),
        ("ended", .ended(.stopped("r"), isNew: true)), ("crashed", .ended(.crashed("r"), isNew: true)),
        ("broken", .ended(.failed("r"), isNew: true)), ("idle", .isIdle("r")), ("gone", .isGone),
        ("unseen", .isUnseen("r")),
    ]

    /// A row a sign, a column a state; what stands there is the state that follows.
    private static let table = """
                    stopped  starting running  unready  stopping paused   crashed  failed   missing  unknown
        starts      starting starting running  unready  stopping paused   starting starting starting starting
        start fails failed   failed   running  unready  stopping paused   failed   failed   failed   failed
        stops       stopped  stopping stopping stopping stopping stopping crashed  failed   missing  stopping
        comes up    starting starting starting starting starting starting starting starting starting starting
        ready       running  running  running  running  running  running  running  running  running  running
        unready     unready  unready  unready  unready  unready  unready  unready  unready  unready  unready
        paused      paused   paused   paused   paused   paused   paused   paused   paused   paused   paused
        ended       stopped  stopped  stopped  stopped  stopped  stopped  stopped  stopped  stopped  stopped
        crashed     crashed  crashed  crashed  crashed  crashed  crashed  crashed  crashed  crashed  crashed
        broken      failed   failed   failed   failed   failed   failed   failed   failed   failed   failed
        idle        stopped  stopped  stopped  stopped  stopped  stopped  stopped  stopped  stopped  stopped
        gone        missing  missing  missing  missing  missing  missing  missing  missing  missing  missing
        unseen      unknown  unknown  unknown  unknown  unknown  unknown  unknown  unknown  unknown  unknown
        """

    @Test func `each sign leads from each state where the table says`() throws {
        let lines = Self.table.components(separatedBy: "\n")
        let states = lines[0].split(separator: " ").map(String.init)
        #expect(Set(states) == Set(ServerState.allCases.map(\.rawValue)))
        #expect(lines.count == Self.signs.count + 1)
        for (name, input) in Self.signs {
            let line = try #require(
                lines.first { $0.hasPrefix(name.padding(toLength: 12, withPad: " ", startingAt: 0)) })
            let cells = line.dropFirst(12).split(separator: " ").map(String.init)
            for (state, expected) in zip(states, cells) {
                let next = ServerStateMachine.next(ServerStatus(ServerState(rawValue: state)!, "before"), input)
                #expect(next.condition.state.rawValue == expected, "\(name) in \(state)")
                let isAsked = [.starts, .startFails("r"), .stops].contains(input)
                if expected == state, isAsked, !["failed", "stopping"].contains(state) {
                    #expect(next.condition.reason == "before" && next.effects.isEmpty, "\(name) in \(state)")
                }
            }
        }
    }

    @Test func `a change is told once, what is only found is not`() {
        for state in ServerState.allCases {
            let first = ServerStateMachine.next(ServerStatus(state), .isReady)
            #expect(first.effects.isEmpty == (state == .running || state == .unknown), "\(state)")
            #expect(ServerStateMachine.next(first.condition, .isReady).effects.isEmpty)
        }
        #expect(ServerStateMachine.next(ServerStatus(.paused), .isReady).effects == [.announce(.unpaused)])
        #expect(ServerStateMachine.next(ServerStatus(.starting), .isReady).effects == [.announce(.ready)])
    }

    @Test func `a new end is told and judged wherever it is seen, an old one never again`() {
        for state in ServerState.allCases {
            let new = ServerStateMachine.next(ServerStatus(state), .ended(.crashed("r"), isNew: true))
            #expect(new.effects == [.announce(.crashed), .considerRestart])
            #expect(ServerStateMachine.next(ServerStatus(state), .ended(.crashed("r"), isNew: false)).effects.isEmpty)
        }
    }

    @Test func `a run is waited for once`() {
        let first = ServerStateMachine.next(ServerStatus(.stopped), .comesUp(isNew: true))
        #expect(first.effects == [.announce(.starting), .awaitReadiness])
        #expect(ServerStateMachine.next(first.condition, .comesUp(isNew: false)).effects.isEmpty)
        #expect(ServerStateMachine.next(ServerStatus(.starting), .comesUp(isNew: true)).effects == [.awaitReadiness])
    }
}
