import Foundation
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage
import Testing

@testable import OrcAgent

@Suite struct ServerObservationTests {
    private func container(_ phase: ContainerState.Phase, exit: Int = 0, oom: Bool = false) -> ContainerState {
        let date = Date(timeIntervalSince1970: 1_767_225_600)
        return ContainerState(phase, exitCode: exit, isOutOfMemory: oom, startedAt: date, finishedAt: date)
    }

    @Test(
        arguments: [
            (.running, .none, .comesUp(isNew: true)), (.running, .stopping, nil),
            (.running, .starting, .comesUp(isNew: true)), (.paused, .none, .isPaused), (.paused, .stopping, nil),
            (.restarting, .none, .comesUp(isNew: true)), (.removing, .none, .stops), (.removing, .stopping, nil),
            (.created, .starting, nil), (.exited, .starting, nil), (.dead, .none, .ended(.failed("dead"), isNew: true)),
            (.other("odd"), .none, .isUnseen("odd")),
        ] as [(ContainerState.Phase, ServerObservation.Step, ServerInput?)])
    func `the sign follows the engine's word and the step that is taken`(
        phase: ContainerState.Phase, step: ServerObservation.Step, input: ServerInput?
    ) throws {
        #expect(ServerObservation(container: container(phase), desired: .running, step: step).input == input)
    }

    @Test(
        arguments: [
            (.awaited, .comesUp(isNew: false)), (.ready, .isReady),
            (.lacking("start_timeout"), .isUnready("start_timeout")),
        ] as [(ServerObservation.Readiness, ServerInput)])
    func `what runs is as ready as it is known to be`(readiness: ServerObservation.Readiness, input: ServerInput) throws
    {
        let container = container(.running)
        let observation = ServerObservation(
            container: container, desired: .running, readiness: readiness, isNewRun: false)
        #expect(observation.input == input)
    }

    @Test func `a server without a container was never started, or has lost it, or could not be started`() {
        #expect(ServerObservation(desired: .stopped).input == .isIdle("never_started"))
        #expect(ServerObservation(desired: .running).input == .isGone)
        #expect(ServerObservation(desired: .stopped, lostContainer: true).input == .isGone)
        #expect(ServerObservation(desired: .running, step: .starting).input == nil)
        #expect(ServerObservation(desired: .running, failure: "pull_failed").input == .startFails("pull_failed"))
    }

    @Test(
        arguments: [
            (ServerObservation.Ending.stopped, nil, 0, false, .stopped(nil)),
            (.stopped, nil, 137, false, .stopped("killed_after_grace")),
            (.stopped, nil, 0, true, .stopped(nil)), (.killed, nil, 137, false, .stopped("killed")),
            (.engineRestarted, nil, 0, false, .stopped("engine_restarted")),
            (nil, 15, 0, false, .stopped("external_stop")), (nil, 9, 137, false, .stopped("external_kill")),
            (nil, nil, 0, false, .stopped("exited")), (nil, nil, 0, true, .stopped("exited")),
            (nil, nil, 137, true, .crashed("out_of_memory")), (nil, nil, 139, false, .crashed("signal 11")),
            (nil, nil, 42, false, .crashed("exit_code")),
        ] as [(ServerObservation.Ending?, Int?, Int, Bool, ServerInput.RunEnd)])
    func `how a run ended tells a stop from a crash`(
        ending: ServerObservation.Ending?, signal: Int?, exit: Int, oom: Bool, verdict: ServerInput.RunEnd
    ) throws {
        let observation = ServerObservation(
            container: container(.exited, exit: exit, oom: oom), desired: .running, ending: ending,
            externalSignal: signal)
        #expect(observation.input == .ended(verdict, isNew: true))
    }

    @Test func `what an end was told as stands, until its owner wants it down`() throws {
        var observation = ServerObservation(container: container(.exited, exit: 143), desired: .running)
        observation.isNewEnd = false
        observation.judged = .stopped("external_stop")
        #expect(observation.input == .ended(.stopped("external_stop"), isNew: false))
        observation.judged = .crashed("signal 15")
        #expect(observation.input == .ended(.crashed("signal 15"), isNew: false))
        observation.desired = .stopped
        #expect(observation.input == .ended(.stopped("exited"), isNew: false))
    }

    @Test func `an end keeps its judgement, whatever the agent does to the server afterwards`() {
        var observation = ServerObservation(container: container(.exited, exit: 143), desired: .stopped)
        observation.isNewEnd = false
        observation.judged = .stopped("external_stop")
        for ending in [ServerObservation.Ending.stopped, .killed] {
            observation.ending = ending
            #expect(observation.input == .ended(.stopped("external_stop"), isNew: false))
        }
        observation.ending = .engineRestarted
        #expect(observation.input == .ended(.stopped("engine_restarted"), isNew: false))
    }

    @Test func `the end of a server that should be stopped is no crash`() {
        let observation = ServerObservation(container: container(.exited, exit: 42), desired: .stopped)
        #expect(observation.input == .ended(.stopped("exited"), isNew: true))
    }

    @Test func `a new end is judged anew`() throws {
        var observation = ServerObservation(container: container(.exited, exit: 42), desired: .running)
        observation.judged = .stopped("external_stop")
        #expect(observation.input == .ended(.crashed("exit_code"), isNew: true))
    }

    @Test func `who gave up, and who may not start by himself, says so`() throws {
        var observation = ServerObservation(container: container(.exited, exit: 1), desired: .running)
        observation.stayReason = "crash_loop"
        observation.isNewEnd = false
        #expect(observation.input == .ended(.crashed("crash_loop"), isNew: false))
        observation.stayReason = "autostart_never"
        observation.ending = .engineRestarted
        #expect(observation.input == .ended(.stopped("autostart_never"), isNew: false))
    }

    @Test func `a container that never came to run has failed, not crashed`() {
        let container = ContainerState(.created, exitCode: 128, startFailure: .addressMissing)
        let observation = ServerObservation(container: container, desired: .running)
        #expect(observation.input == .startFails("bad_bind_address"))
        let ended = ServerObservation(
            container: ContainerState(.exited, exitCode: 128, startFailure: .stuck), desired: .running)
        #expect(ended.input == .ended(.failed("conflict"), isNew: true))
    }

    @Test(
        arguments: [
            (.unreachable(""), .engineUnreachable), (.unsupported(""), .engineUnreachable), (.timeout(""), .timeout),
            (.unreadable(""), .internal), (.notFound(""), .internal), (.nameInUse(""), .nameConflict),
            (.portInUse(""), .portInUse), (.addressMissing(""), .portInUse), (.noSpace(""), .noSpace),
            (.stuck(""), .conflict), (.conflict(""), .conflict), (.invalid(""), .badPlan), (.denied(""), .conflict),
            (.addressPoolsExhausted(""), .conflict), (.subnetInUse(""), .conflict), (.other(""), .internal),
        ] as [(EngineFailure, Reply.Code)])
    func `a failure of the engine has one code`(failure: EngineFailure, code: Reply.Code) {
        #expect(ActionError(failure).code == code)
    }

    @Test func `the plan's pattern goes before a health check, that before the image's own word`() {
        var options = PlanOptions.Ready()
        #expect(ReadinessRule(options, hasHealthCheck: false, isPeons: false).way == .settled)
        #expect(ReadinessRule(options, hasHealthCheck: false, isPeons: true).way == .stateFile)
        #expect(ReadinessRule(options, hasHealthCheck: true, isPeons: true).way == .health)
        options.pattern = "Done"
        options.timeout = 5
        #expect(
            ReadinessRule(options, hasHealthCheck: true, isPeons: true)
                == ReadinessRule(options, hasHealthCheck: false, isPeons: false))
        #expect(ReadinessRule(options, hasHealthCheck: true, isPeons: true).timeout == 5)
    }
}
