import Foundation
import OrcDocker
import Testing

@testable import OrcAgent
@testable import OrcCore
@testable import OrcMetrics

@Suite struct ContainerEventTests {
    private func state(_ status: String, started: String = "2026-01-01T00:00:10.123456789Z") throws
        -> ContainerInspect.State
    {
        let json = """
            {"Status": "\(status)", "ExitCode": 0, "StartedAt": "\(started)", "FinishedAt": "0001-01-01T00:00:00Z"}
            """
        return try JSONDecoder().decode(ContainerInspect.State.self, from: Data(json.utf8))
    }

    private func event(_ action: String, second: Int = 20, exitCode: String = "42") throws -> DockerEvent {
        // 2026-01-01T00:00:00Z and so many seconds.
        let nanoseconds = (1_767_225_600 + second) * 1_000_000_000
        let json = """
            {"Action": "\(action)", "Actor": {"ID": "x", "Attributes": {"exitCode": "\(exitCode)"}}, "timeNano": \(nanoseconds)}
            """
        return try JSONDecoder().decode(DockerEvent.self, from: Data(json.utf8))
    }

    @Test func `an end is told by its event, with its code and whether memory ran out`() throws {
        let ended = try #require(try state("running").after(try event("die"), sawOutOfMemory: true))
        #expect(ended.status == "exited" && ended.exitCode == 42 && ended.isOOMKilled == true)
        #expect(ended.finishedAt == "2026-01-01T00:00:20.000Z")
    }

    @Test func `the end of an earlier run, heard late, changes nothing`() throws {
        #expect(try state("running").after(try event("die", second: 5), sawOutOfMemory: false) == nil)
    }

    @Test(arguments: [("start", "running"), ("pause", "paused"), ("unpause", "running")])
    func `start and pause are told by their events`(action: String, status: String) throws {
        #expect(try state("exited").after(try event(action), sawOutOfMemory: false)?.status == status)
    }

    @Test(arguments: ["create", "kill", "oom", "rename", "destroy", "health_status: healthy", "update"])
    func `of the rest only an inspect can tell`(action: String) throws {
        #expect(try state("running").after(try event(action), sawOutOfMemory: false) == nil)
    }

    @Test func `an end without a code is left to an inspect`() throws {
        #expect(try state("running").after(try event("die", exitCode: ""), sawOutOfMemory: false) == nil)
    }
}
