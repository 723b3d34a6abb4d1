import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcPlans

/// What PEON's orchestrator wrote, beside what this one writes.
@Suite(.needsCorpus) struct RecordingTests {
    private func config(_ recording: PeonRecording) throws -> ServerConfig {
        var settings = recording.settings
        let description = settings["description"]?.string
        settings["description"] = nil
        let plan = try CorpusTests.plan(recording.server.game)
        let (environment, _) = try plan.applying(settings)
        return try ServerConfig(
            server: recording.server, plan: plan, environment: environment, ports: plan.portGroups[0],
            description: description, image: nil)
    }

    @Test func `config.json is PEON's, byte for byte`() throws {
        let recordings = try PeonRecording.creations()
        #expect(recordings.count >= 4)
        for recording in recordings {
            var expected = try #require(recording.effects["config.json"]?.string)
            if recording.server.game == "valheim" { expected = Self.withAllPorts(expected) }
            #expect(try config(recording).document.text(.pretty) == expected, "\(recording.id)")
        }
    }

    @Test func `docker-compose.yml is PEON's, byte for byte`() throws {
        for recording in try PeonRecording.creations() {
            var expected = try #require(recording.effects["docker-compose.yml"]?.string)
            if recording.server.game == "valheim" {
                // PEON took the first of Valheim's three ports alone.
                expected = expected.replacingOccurrences(
                    of: "        - 2456:2456/udp\n",
                    with: "        - 2456:2456/udp\n        - 2457:2457/udp\n        - 2458:2458/udp\n")
                expected = expected.replacingOccurrences(
                    of: "        - PORT=2456\n",
                    with: "        - PORT=2456\n        - PORT_2=2457\n        - PORT_3=2458\n")
            }
            // PEON wrote both of Quake's PORT variables; only the last ever counted.
            expected = expected.replacingOccurrences(of: "        - PORT=27960\n", with: "")
            let place = ServerConfig.Place(
                folder: "/home/peon/servers/\(recording.server.game)/\(recording.server.name)",
                host: HostName(fitting: "h"), publicIP: nil)
            #expect(
                ComposeFile.text(
                    try config(recording).container(at: place, hasFile: { _ in false }), isPeons: true) == expected,
                "\(recording.id)")
        }
    }

    private static func withAllPorts(_ text: String) -> String {
        func port(_ name: String, _ number: Int) -> String {
            "        {\n            \"\(name)\": [\n                \"\(number)\",\n                \"udp\"\n            ]\n        }"
        }
        return text.replacingOccurrences(
            of: port("PORT", 2456),
            with: [port("PORT", 2456), port("PORT_2", 2457), port("PORT_3", 2458)].joined(separator: ",\n"))
    }
}
