import Foundation
import OrcEngine
import Testing

@Suite struct ContainerStateTests {
    private static func second(_ second: Double) -> Date { Date(timeIntervalSince1970: 1_767_225_600 + second) }

    private func state(_ phase: ContainerState.Phase) -> ContainerState {
        ContainerState(phase, startedAt: Self.second(10), processID: 4711)
    }

    private func event(_ kind: ContainerEvent.Kind, second: Double = 20) -> ContainerEvent {
        ContainerEvent(kind, container: "x", at: Self.second(second))
    }

    @Test func `an end is told by its event, with its code and whether memory ran out`() throws {
        let ended = try #require(state(.running).after(event(.died(exitCode: 42)), sawOutOfMemory: true))
        #expect(ended.phase == .exited && ended.exitCode == 42 && ended.isOutOfMemory == true)
        #expect(ended.finishedAt == Self.second(20) && ended.processID == nil)
    }

    @Test func `the end of an earlier run, heard late, changes nothing`() {
        #expect(state(.running).after(event(.died(exitCode: 0), second: 5), sawOutOfMemory: false) == nil)
        #expect(state(.running).after(event(.died(exitCode: 0), second: 10), sawOutOfMemory: false) != nil)
    }

    @Test(
        arguments: [(.started, .running), (.paused, .paused), (.unpaused, .running)]
            as [(ContainerEvent.Kind, ContainerState.Phase)])
    func `start and pause are told by their events`(kind: ContainerEvent.Kind, phase: ContainerState.Phase) {
        #expect(state(.exited).after(event(kind), sawOutOfMemory: false)?.phase == phase)
    }

    @Test func `a start clears what is known of the run before, and an older start changes nothing`() throws {
        var ended = ContainerState(
            .exited, exitCode: 1, startFailure: .portInUse, startedAt: Self.second(1), finishedAt: Self.second(15),
            processID: 4711)
        let next = try #require(ended.after(event(.started), sawOutOfMemory: false))
        #expect(next.exitCode == 0 && next.startFailure == nil && next.processID == nil)
        #expect(next.startedAt == Self.second(20))
        ended.finishedAt = Self.second(20)
        #expect(ended.after(event(.started), sawOutOfMemory: false)?.phase == .running)
        ended.finishedAt = Self.second(21)
        #expect(ended.after(event(.started), sawOutOfMemory: false) == nil)
    }

    @Test func `a start heard after the look that found it leaves its process known`() {
        let found = ContainerState(.running, startedAt: Self.second(19.5), processID: 4711)
        #expect(found.after(event(.started), sawOutOfMemory: false)?.processID == 4711)
        let earlier = ContainerState(.running, startedAt: Self.second(19), processID: 4711)
        #expect(earlier.after(event(.started), sawOutOfMemory: false)?.processID == nil)
    }

    @Test(
        arguments: [
            .created, .signalled(9), .outOfMemory, .renamed, .removed, .healthChanged, .updated, .died(exitCode: nil),
        ] as [ContainerEvent.Kind])
    func `of the rest only an inspect can tell`(kind: ContainerEvent.Kind) {
        #expect(state(.running).after(event(kind), sawOutOfMemory: false) == nil)
    }

    @Test(arguments: [
        ("created", false, false), ("running", true, true), ("paused", true, true), ("restarting", false, true),
        ("removing", false, false), ("exited", false, false), ("dead", false, false), ("new", false, false),
    ])
    func `a phase has the engine's word, and says whether it runs or is up`(word: String, runs: Bool, isUp: Bool) {
        let phase = ContainerState.Phase(word)
        #expect(phase.description == word && phase.isRunning == runs && phase.isUp == isUp)
        #expect((phase == .other(word)) == (word == "new"))
    }

    @Test func `since is the start of what runs, else the end`() {
        var state = ContainerState(.paused, startedAt: Self.second(1), finishedAt: Self.second(2))
        #expect(state.since == Self.second(1))
        state.phase = .exited
        #expect(state.since == Self.second(2))
    }
}
