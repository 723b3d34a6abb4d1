import Docker
import Foundation
import Peon
import Testing

@testable import Agent

@Suite struct StateRuleTests {
    private func container(_ status: String, exit: Int = 0, oom: Bool = false, error: String = "") throws
        -> ContainerDetail.State
    {
        let json = """
            {"Status": "\(status)", "ExitCode": \(exit), "OOMKilled": \(oom), "Error": "\(error)",
             "StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "2026-01-01T00:00:00Z"}
            """
        return try JSONDecoder().decode(ContainerDetail.State.self, from: Data(json.utf8))
    }

    @Test(arguments: [
        ("running", Observation.Step.none, "running"), ("running", .stopping, "stopping"),
        ("running", .starting, "running"),
        ("paused", .none, "paused"), ("restarting", .none, "starting"), ("removing", .none, "stopping"),
        ("created", .starting, "starting"), ("exited", .starting, "starting"), ("dead", .none, "failed"),
        ("odd", .none, "unknown"),
    ])
    func `the state follows the engine's word and the step that is taken`(
        status: String, step: Observation.Step, state: String
    ) throws {
        let rule = StateRule(Observation(container: try container(status), desired: .running, step: step))
        #expect(rule.state.rawValue == state)
    }

    @Test func `a server without a container was never started, or has lost it`() {
        #expect(StateRule(Observation(desired: .stopped)) == StateRule(.stopped, "never_started"))
        #expect(StateRule(Observation(desired: .running)) == StateRule(.missing, "no_container"))
        #expect(StateRule(Observation(desired: .stopped, lostContainer: true)).state == .missing)
        #expect(StateRule(Observation(desired: .running, step: .starting)).state == .starting)
    }

    @Test(
        arguments: [
            (Observation.Ending.stopped, nil, 0, false, "stopped", nil),
            (.stopped, nil, 137, false, "stopped", "killed_after_grace"),
            (.stopped, nil, 0, true, "stopped", nil), (.killed, nil, 137, false, "stopped", "killed"),
            (nil, 15, 0, false, "stopped", "external_stop"), (nil, 9, 137, false, "stopped", "external_kill"),
            (nil, nil, 0, false, "stopped", "exited"), (nil, nil, 0, true, "stopped", "exited"),
            (nil, nil, 137, true, "crashed", "out_of_memory"), (nil, nil, 139, false, "crashed", "signal 11"),
            (nil, nil, 42, false, "crashed", "exit_code"),
        ] as [(Observation.Ending?, Int?, Int, Bool, String, String?)])
    func `how a run ended tells a stop from a crash`(
        ending: Observation.Ending?, signal: Int?, exit: Int, oom: Bool, state: String, reason: String?
    ) throws {
        let rule = StateRule(
            Observation(
                container: try container("exited", exit: exit, oom: oom), desired: .running, ending: ending,
                externalSignal: signal))
        #expect(rule.state.rawValue == state && rule.reason == reason)
    }

    @Test(arguments: [
        ("driver failed: Bind for 0.0.0.0:8303 failed: port is already allocated", "port_in_use"),
        ("listen udp4 0.0.0.0:8303: bind: address already in use", "port_in_use"),
        ("listen tcp 10.9.9.9:1: bind: cannot assign requested address", "bad_bind_address"),
        ("exec: no such file or directory", "command_not_found"), ("something else", "start_failed"),
    ])
    func `a container that never came to run has failed, not crashed`(error: String, reason: String) throws {
        let rule = StateRule(
            Observation(container: try container("created", exit: 128, error: error), desired: .running))
        #expect(rule == StateRule(.failed, reason))
    }
}
