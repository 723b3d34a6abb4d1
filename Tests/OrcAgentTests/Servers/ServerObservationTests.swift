import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcPlans
import OrcStorage
import Testing

@testable import OrcAgent
@testable import OrcMetrics

@Suite struct ServerObservationTests {
    private func container(_ status: String, exit: Int = 0, oom: Bool = false, error: String = "") throws
        -> ContainerInspect.State
    {
        let json = """
            {"Status": "\(status)", "ExitCode": \(exit), "OOMKilled": \(oom), "Error": "\(error)",
             "StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "2026-01-01T00:00:00Z"}
            """
        return try JSONDecoder().decode(ContainerInspect.State.self, from: Data(json.utf8))
    }

    @Test(
        arguments: [
            ("running", .none, .comesUp(isNew: true)), ("running", .stopping, nil),
            ("running", .starting, .comesUp(isNew: true)), ("paused", .none, .isPaused), ("paused", .stopping, nil),
            ("restarting", .none, .comesUp(isNew: true)), ("removing", .none, .stops), ("created", .starting, nil),
            ("exited", .starting, nil), ("dead", .none, .ended(.failed("dead"), isNew: true)),
            ("odd", .none, .isUnseen("odd")),
        ] as [(String, ServerObservation.Step, ServerInput?)])
    func `the sign follows the engine's word and the step that is taken`(
        status: String, step: ServerObservation.Step, sign: ServerInput?
    ) throws {
        #expect(ServerObservation(container: try container(status), desired: .running, step: step).sign == sign)
    }

    @Test(
        arguments: [
            (.awaited, .comesUp(isNew: false)), (.ready, .isReady),
            (.lacking("start_timeout"), .isUnready("start_timeout")),
        ] as [(ServerObservation.Readiness, ServerInput)])
    func `what runs is as ready as it is known to be`(readiness: ServerObservation.Readiness, sign: ServerInput) throws
    {
        let container = try container("running")
        let observation = ServerObservation(
            container: container, desired: .running, readiness: readiness, isNewRun: false)
        #expect(observation.sign == sign)
    }

    @Test func `a server without a container was never started, or has lost it, or could not be started`() {
        #expect(ServerObservation(desired: .stopped).sign == .isIdle("never_started"))
        #expect(ServerObservation(desired: .running).sign == .isGone)
        #expect(ServerObservation(desired: .stopped, lostContainer: true).sign == .isGone)
        #expect(ServerObservation(desired: .running, step: .starting).sign == nil)
        #expect(ServerObservation(desired: .running, failure: "pull_failed").sign == .startFails("pull_failed"))
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
        ] as [(ServerObservation.Ending?, Int?, Int, Bool, ServerInput.Verdict)])
    func `how a run ended tells a stop from a crash`(
        ending: ServerObservation.Ending?, signal: Int?, exit: Int, oom: Bool, verdict: ServerInput.Verdict
    ) throws {
        let observation = ServerObservation(
            container: try container("exited", exit: exit, oom: oom), desired: .running, ending: ending,
            externalSignal: signal)
        #expect(observation.sign == .ended(verdict, isNew: true))
    }

    @Test func `what an end was told as stands, until its owner wants it down`() throws {
        var observation = ServerObservation(container: try container("exited", exit: 143), desired: .running)
        observation.isNewEnd = false
        observation.judged = .stopped("external_stop")
        #expect(observation.sign == .ended(.stopped("external_stop"), isNew: false))
        observation.judged = .crashed("signal 15")
        #expect(observation.sign == .ended(.crashed("signal 15"), isNew: false))
        observation.desired = .stopped
        #expect(observation.sign == .ended(.stopped("exited"), isNew: false))
    }

    @Test func `a new end is judged anew`() throws {
        var observation = ServerObservation(container: try container("exited", exit: 42), desired: .running)
        observation.judged = .stopped("external_stop")
        #expect(observation.sign == .ended(.crashed("exit_code"), isNew: true))
    }

    @Test func `who gave up, and who may not start by himself, says so`() throws {
        var observation = ServerObservation(container: try container("exited", exit: 1), desired: .running)
        observation.stayReason = "crash_loop"
        observation.isNewEnd = false
        #expect(observation.sign == .ended(.crashed("crash_loop"), isNew: false))
        observation.stayReason = "autostart_never"
        observation.ending = .engineRestarted
        #expect(observation.sign == .ended(.stopped("autostart_never"), isNew: false))
    }

    @Test(arguments: [
        ("driver failed: Bind for 0.0.0.0:8303 failed: port is already allocated", "port_in_use"),
        ("listen udp4 0.0.0.0:8303: bind: address already in use", "port_in_use"),
        ("listen tcp 10.9.9.9:1: bind: cannot assign requested address", "bad_bind_address"),
        ("task ff83ac0d: already exists", "conflict"),
        ("OCI runtime create failed: container with id exists: ff83ac0d: unknown", "conflict"),
        ("exec: no such file or directory", "command_not_found"), ("something else", "start_failed"),
    ])
    func `a container that never came to run has failed, not crashed`(error: String, reason: String) throws {
        let observation = ServerObservation(
            container: try container("created", exit: 128, error: error), desired: .running)
        #expect(observation.sign == .startFails(reason))
    }

    @Test(arguments: [
        (
            400, #"OCI runtime create failed: exec: "/no": stat /no: no such file or directory: unknown"#,
            Reply.Code.badPlan
        ),
        (500, #"runc: unable to start container process: exec: "/bin/x": permission denied"#, .badPlan),
        (500, "listen tcp 10.9.9.9:1: bind: cannot assign requested address", .portInUse),
        (500, "cgroup: no such file or directory", .internal), (403, "POST /x: refused with 403", .conflict),
        (400, "invalid environment variable: =27015", .badPlan),
        (500, "linux spec user: unable to find user x", .badPlan),
        (500, "OCI runtime create failed: something", .badPlan), (500, "server error", .internal),
        (500, "Bind for 0.0.0.0:8303 failed: port is already allocated", .portInUse),
        (409, "You cannot remove a running container", .conflict),
    ])
    func `a refusal of the engine's says whose it is to mend`(status: Int, message: String, code: Reply.Code) {
        #expect(EngineErrorClassifier.code(status: status, message: message) == code)
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
