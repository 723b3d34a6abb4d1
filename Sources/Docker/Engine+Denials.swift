import NIOCore
import NIOHTTP1

extension Engine {
    /// The kinds of calls that this agent makes and that whatever stands before the engine forbids, such as a proxy of its socket.
    ///
    /// Each is tried with a name that nothing has, or a body that nobody can read, so that none changes anything.
    package func denials() async throws -> [String] {
        if apiVersion == nil { _ = try await negotiate() }
        let none = "orc-check-of-rights"
        let broken = Array("{".utf8)
        let calls = [
            EngineRequest(.GET, "_ping"),
            EngineRequest(.GET, "containers", "json"),
            EngineRequest(.GET, "containers", none, "json"),
            EngineRequest(.GET, "containers", none, "logs", query: [("stdout", "1")]),
            EngineRequest(.GET, "containers", none, "stats", query: [("stream", "0")]),
            EngineRequest(.GET, "events", query: [("since", "1"), ("until", "2")]),
            EngineRequest(.GET, "images", none, "json"),
            EngineRequest(.GET, "networks"),
            EngineRequest(.GET, "networks", none),
            EngineRequest(.POST, "networks", "create", body: broken),
            EngineRequest(.DELETE, "networks", none),
            EngineRequest(.POST, "images", "create", query: [("fromImage", "NO//IMAGE")]),
            EngineRequest(.POST, "containers", "create", body: broken),
            EngineRequest(.POST, "containers", none, "start"),
            EngineRequest(.POST, "containers", none, "pause"),
            EngineRequest(.POST, "containers", none, "unpause"),
            EngineRequest(.POST, "containers", none, "rename", query: [("name", none)]),
            EngineRequest(.POST, "containers", none, "wait"),
            EngineRequest(.POST, "containers", none, "stop"),
            EngineRequest(.POST, "containers", none, "kill"),
            EngineRequest(.POST, "containers", none, "attach", query: [("stream", "1"), ("stdin", "1")]),
            EngineRequest(.POST, "containers", none, "exec", body: Array(#"{"Cmd": ["true"]}"#.utf8)),
            EngineRequest(.POST, "exec", none, "start", body: broken),
            EngineRequest(.DELETE, "containers", none),
        ]
        var denied: [String] = []
        for var call in calls {
            call.deadline = .seconds(10)
            do { _ = try await self.call(call) } catch let error as EngineError {
                switch error.status {
                case 401, 403, 405: denied.append(call.name.replacing("/\(none)", with: "/…"))
                case _?: continue  // there is no such thing, which only who may ask is told
                case nil: throw error
                }
            }
        }
        return denied
    }
}
