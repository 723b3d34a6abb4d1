import HTTPTypes
import OrcContract

/// Long-lived responses: a console and the event stream.
extension RequestHandler {
    func console(_ call: RouteCall) throws -> BridgeResponse {
        let host = try call.host(self)
        guard let server = ServerID(uid: call.parameters["uid"]) else { throw PeonAPI.noServer }
        _ = try peon.get(server, host)
        guard call.call.fields[.upgrade] != nil else {
            throw Problem(.upgradeRequired, "this is a WebSocket", headers: [.upgrade: "websocket"])
        }
        try bus.commands.requireAgent(of: host)
        let console = ConsoleSocket(
            host: host, server: server, caller: call.call.caller, commands: bus.commands, logger: logger)
        return BridgeResponse(.switchingProtocols, .console(console))
    }

    func events(_ call: TopicAPI.Call) throws -> BridgeResponse {
        guard cache.isLinked else { throw Problem.noBroker }
        let lastID = call.fields[OwnField.lastEventID] ?? call.query["last_event_id"]
        let filter = try EventStream.Filter(call.query, call.caller.scope)
        try filter.check(on: cache)
        return EventStream(cache: cache, filter: filter, lastID: lastID, caller: call.caller).answer
    }
}
