import Foundation
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import Testing

@testable import OrcAgent

@Suite struct ServerRecordTests {
    private let id = ServerID(uid: "x.one")!
    private let start = Date(timeIntervalSince1970: 1_767_225_600)

    private func container(_ state: ContainerState) -> Container {
        Container(id: "c", name: "peon.warcamp.x.one", image: "i", state: state)
    }

    private func record(_ state: ContainerState) -> ServerRecord {
        var record = ServerRecord(
            id: id, folder: ServerFolder(id, in: "/no/such/folder"), config: nil, desired: .running)
        record.intent.stored = .running
        record.observe(container(state))
        return record
    }

    private func running() -> ServerRecord { record(ContainerState(.running, startedAt: start, processID: 7)) }

    private func ended(_ exitCode: Int, after seconds: Double, oom: Bool = false) -> Container {
        container(
            ContainerState(
                .exited, exitCode: exitCode, isOutOfMemory: oom, startedAt: start,
                finishedAt: start.addingTimeInterval(seconds)))
    }

    @Test func `an exit code is reported after a run, and after a start that failed`() {
        #expect(record(ContainerState(.exited, exitCode: 3)).report.exitCode == 3)
        #expect(record(ContainerState(.created, exitCode: 128)).report.exitCode == 128)
        #expect(record(ContainerState(.created)).report.exitCode == nil && running().report.exitCode == nil)
    }

    @Test(arguments: [(20.0, true), (610, true), (611, false)])
    func `a signal explains an end for ten minutes`(seconds: Double, isKnown: Bool) {
        var record = running()
        record.view.externalSignal = (15, start.addingTimeInterval(10))
        let event = ContainerEvent(.died(exitCode: 0), container: "c", at: start.addingTimeInterval(seconds))
        let isTaken = record.take(event, look: 1)
        #expect(isTaken && (record.view.externalSignal != nil) == isKnown)
    }

    @Test func `the events of an earlier container explain nothing`() {
        var record = running()
        record.view.externalSignal = (15, start)
        record.view.sawOutOfMemory = true
        record.observe(container(ContainerState(.running, startedAt: start)))
        #expect(record.view.externalSignal != nil && record.view.sawOutOfMemory)
        record.observe(Container(id: "d", name: "peon.warcamp.x.one", image: "i", state: ContainerState(.created)))
        #expect(record.view.externalSignal == nil && !record.view.sawOutOfMemory)
    }

    @Test(
        arguments: [
            // The agent saw that the engine was lost: only a signal that the engine sends counts.
            (137, false, 100, false), (143, false, 100, true), (0, false, 100, true), (42, false, 100, false),
            // The agent did not run then: a game that ignores TERM was killed, unless memory ran out.
            (137, false, nil, true), (137, true, nil, false), (42, false, nil, false),
        ] as [(Int, Bool, Double?, Bool)])
    func `an end at the engine's shutdown is not the game's`(exitCode: Int, oom: Bool, lost: Double?, isEngines: Bool) {
        var record = running()
        record.view.engineRestart = .init(lostAt: lost.map { start.addingTimeInterval($0) })
        record.observe(ended(exitCode, after: 99, oom: oom))
        #expect((record.operation.ending == .engineRestarted) == isEngines)
        #expect(record.operation.needsRestore == isEngines && record.view.engineRestart == nil)
    }

    @Test func `a server that took too long may still become ready, and not the other way round`() {
        var record = running()
        record.note(.lacking("start_timeout"), ofRun: start)
        #expect(record.run.readiness == .lacking("start_timeout"))
        record.note(.ready, ofRun: start.addingTimeInterval(5))
        #expect(record.run.readiness == .lacking("start_timeout"), "another run")
        record.note(.ready, ofRun: start)
        #expect(record.run.readiness == .ready)
        record.note(.lacking("start_timeout"), ofRun: start)
        #expect(record.run.readiness == .ready)
    }
}
