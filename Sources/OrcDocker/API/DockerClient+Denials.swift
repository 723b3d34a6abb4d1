import NIOCore
import NIOHTTP1

extension DockerClient {
    /// Returns the API calls of this agent that are forbidden by the engine or by a proxy in front of the engine.
    ///
    /// Each call is tried with a name that does not exist or with an invalid body, so that nothing is changed.
    package func denials() async throws -> [String] {
        // A refusal of this call is thrown: without a version, no other call can be tried.
        _ = try await agreedVersion()
        let none = "orc-check-of-rights"
        let broken = Array("{".utf8)
        let calls = [
            DockerRequest(.GET, "_ping"),
            DockerRequest(.GET, "containers", "json"),
            DockerRequest(.GET, "containers", none, "json"),
            DockerRequest(.GET, "containers", none, "logs", query: [("stdout", "1")]),
            DockerRequest(.GET, "containers", none, "stats", query: [("stream", "0")]),
            DockerRequest(.GET, "events", query: [("since", "1"), ("until", "2")]),
            DockerRequest(.GET, "images", none, "json"),
            DockerRequest(.GET, "networks"),
            DockerRequest(.GET, "networks", none),
            DockerRequest(.POST, "networks", "create", body: broken),
            DockerRequest(.DELETE, "networks", none),
            DockerRequest(.POST, "images", "create", query: [("fromImage", "NO//IMAGE")]),
            DockerRequest(.POST, "containers", "create", body: broken),
            DockerRequest(.POST, "containers", none, "start"),
            DockerRequest(.POST, "containers", none, "pause"),
            DockerRequest(.POST, "containers", none, "unpause"),
            DockerRequest(.POST, "containers", none, "rename", query: [("name", none)]),
            DockerRequest(.POST, "containers", none, "wait"),
            DockerRequest(.POST, "containers", none, "stop"),
            DockerRequest(.POST, "containers", none, "kill"),
            DockerRequest(.POST, "containers", none, "attach", query: [("stream", "1"), ("stdin", "1")]),
            DockerRequest(.POST, "containers", none, "exec", body: Array(#"{"Cmd": ["true"]}"#.utf8)),
            DockerRequest(.POST, "exec", none, "start", body: broken),
            DockerRequest(.DELETE, "containers", none),
        ]
        var denied: [String] = []
        for var call in calls {
            call.deadline = .seconds(10)
            do { _ = try await self.call(call) } catch let error as DockerError {
                switch error.status {
                case 401, 403, 405: denied.append(call.name.replacing("/\(none)", with: "/…"))
                case _?: continue  // an error such as "not found" shows that the call is allowed
                case nil: throw error
                }
            }
        }
        return denied
    }
}
