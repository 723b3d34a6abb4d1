package import Foundation
package import OrcContract
package import OrcCore
import OrcDocker
import OrcMQTT
import Synchronization

/// Agent, broker and engine that a test can kill and start again, each for itself.
package final class Rig: Sendable {
    package let root: URL
    package let host = "h-\(UUID().uuidString.prefix(8).lowercased())"
    package let brokerPort: Int
    /// The port that the agent connects to, where it is not the broker's own.
    private let agentPort: Int
    private let engineFolder: URL?
    private let settings: [String: String]
    private let brokerLines: String
    private let state = Mutex(State())

    private struct State {
        var agent: Daemon?
        var broker: Daemon?
    }

    private init(
        root: URL, settings: [String: String], brokerLines: String, hasEngine: Bool, brokerPort: Int, agentPort: Int?
    ) {
        self.root = root
        self.settings = settings
        self.brokerLines = brokerLines
        self.brokerPort = brokerPort
        self.agentPort = agentPort ?? brokerPort
        engineFolder = hasEngine ? root.appending(path: "engine") : nil
    }

    /// Runs `body` with a broker that runs, an engine where it is to have one of its own, and no agent yet.
    package static func with(
        settings: [String: String] = [:], broker lines: String = "allow_anonymous true", ownEngine: Bool = false,
        brokerPort: Int = Testbed.freePort(), agentPort: Int? = nil,
        _ body: @escaping @Sendable (Rig) async throws -> Void
    ) async throws {
        try await Testbed.withFolder { root in
            let rig = Rig(
                root: root, settings: settings, brokerLines: lines, hasEngine: ownEngine, brokerPort: brokerPort,
                agentPort: agentPort)
            try await rig.startBroker()
            if ownEngine { try await rig.engine("start") }
            let result: Swift.Result<Void, any Error>
            do { result = .success(try await body(rig)) } catch {
                if let log = try? String(contentsOf: root.appending(path: "agent.log"), encoding: .utf8) {
                    print(log.suffix(4000))
                }
                result = .failure(error)
            }
            try? await rig.endAgent()
            await rig.removeContainers()
            if ownEngine { try? await rig.engine("remove") }
            try? await rig.endBroker()
            try result.get()
        }
    }

    /// As ``with(settings:broker:ownEngine:brokerPort:agentPort:_:)``, with an agent and one server of the stand-in game.
    package static func withServer(
        _ server: ServerID, _ environment: JSON.Object = [:], settings: [String: String] = [:],
        broker lines: String = "allow_anonymous true", orc: JSON = [:],
        _ body: @escaping @Sendable (Rig, Probe) async throws -> Void
    ) async throws {
        try await with(settings: settings, broker: lines) { rig in
            try rig.installGame(environment, orc: orc)
            try await rig.withProbe { probe in
                try await rig.startAgent()
                try await probe.isOnline()
                let created = try await probe.send(.create, server.uid)
                guard created.status == .ok else { throw Overdue("\(server): \(created.error ?? "")") }
                try await body(rig, probe)
            }
        }
    }

    /// Removes what the rig's servers left on the engine that all tests share.
    private func removeContainers() async {
        guard engineFolder == nil, let engine = try? Testbed.engine(), let all = try? await engine.containers() else {
            return
        }
        for container in all where container.labels?["peon.orc.host"] == host {
            try? await engine.kill(container.id, signal: "KILL")
            try? await engine.remove(container.id)
            if let name = container.name.map({ String($0.dropFirst("peon.warcamp.".count)) }) {
                try? await engine.removeNetwork(name.replacing(".", with: "_"))
            }
        }
    }

    // The agent.

    package var agent: Daemon? { state.withLock { $0.agent } }

    private func environment() throws -> [String: String] {
        try OrcProcess.environment(root: root, port: agentPort, host: host, socket: ownSocket)
            .merging(["ORC_LOG_LEVEL": "debug"]) { _, given in given }.merging(settings) { _, given in given }
    }

    private var ownSocket: String? { engineFolder.map { "\($0.path())/docker.sock" } }

    /// `more`: settings beside the rig's own.
    package func startAgent(_ more: [String: String] = [:]) async throws {
        let settings = try environment().merging(more) { _, given in given }
        let agent = try await Daemon.start(
            Testbed.program, ["run"], environment: settings, log: root.appending(path: "agent.log"))
        state.withLock { $0.agent = agent }
    }

    /// The lines of the agent's log that hold all of these.
    package func logged(_ words: String...) throws -> [String] {
        let log = try String(contentsOf: root.appending(path: "agent.log"), encoding: .utf8)
        return log.components(separatedBy: "\n").filter { line in words.allSatisfy { line.contains($0) } }
    }

    package func endAgent(_ signal: Int32 = SIGKILL) async throws {
        let agent = state.withLock { state in
            defer { state.agent = nil }
            return state.agent
        }
        try await agent?.end(signal)
    }

    // The broker.

    package var broker: Daemon? { state.withLock { $0.broker } }

    /// `lines`: of its configuration, where they are not to be those of the beginning.
    package func startBroker(_ lines: String? = nil) async throws {
        let file = root.appending(path: "mosquitto.conf")
        let text = "user root\nset_tcp_nodelay true\nlistener \(brokerPort) 127.0.0.1\n\(lines ?? brokerLines)\n"
        try text.replacing("FOLDER", with: root.path()).write(to: file, atomically: true, encoding: .utf8)
        let broker = try await Daemon.start(
            "mosquitto", ["-c", file.path()], log: root.appending(path: "mosquitto.log"))
        state.withLock { $0.broker = broker }
        try await within(.seconds(5), "the broker") { [brokerPort] in
            while !Testbed.answers(port: brokerPort) { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    package func endBroker(_ signal: Int32 = SIGKILL) async throws {
        let broker = state.withLock { state in
            defer { state.broker = nil }
            return state.broker
        }
        try await broker?.end(signal)
    }

    /// Runs `body` with a client that hears all; it lives as long as the broker does.
    package func withProbe<Result: Sendable>(
        _ body: @escaping @Sendable (Probe) async throws -> Result
    ) async throws -> Result {
        let options = MQTTConfiguration(
            broker: BrokerURL("mqtt://127.0.0.1:\(brokerPort)")!, clientID: "probe-\(UUID().uuidString)")
        return try await Probe.with(options, host: host, body)
    }

    // The engine.

    /// `start`, `stop` or `kill`, with the engine's flags.
    package func engine(_ command: String, _ flags: String...) async throws { try await engine(command, flags: flags) }

    package func engine(_ command: String, flags: [String]) async throws {
        guard let engineFolder else { return }
        try await output(
            Testbed.package.appending(path: "Tests/engine").path(), [command, engineFolder.path()] + flags)
    }

    /// Calls the engine's own client.
    @discardableResult
    package func docker(_ arguments: String...) async throws -> String {
        let socket = try ownSocket ?? Testbed.engineSocket()
        return try await output("docker", ["-H", "unix://\(socket)"] + arguments)
    }

    // Servers.

    /// Puts the stand-in game's plan into the root.
    package func installGame(_ environment: JSON.Object = [:], orc: JSON = [:], game: String = "game") throws {
        var variables: JSON.Object = ["READY_AFTER": "0"]
        for (name, value) in environment.members { variables[name] = value }
        let plan: JSON = [
            "metadata": ["game_uid": .string(game), "image": "orc-test/game"],
            "environment": .object(variables), "volumes": ["~!/data": "/data"], "orc": orc,
        ]
        try OrcProcess.installPlan(game, plan.text(), in: root)
    }

    package func saved(_ server: ServerID) -> String {
        let file = root.appending(path: "servers/\(server.game)/\(server.name)/data/saved")
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }
}

extension Probe {
    /// Waits until the agent says that it is online.
    package func isOnline(after mark: Int = 0, limit: Duration = .seconds(10)) async throws {
        let topic = topics.status(.agent)
        _ = try await next(after: mark, "the agent to be online", limit: limit) { message in
            message.topic == topic && (try? JSON.parse(message.payload))?["state"]?.string == "online"
        }
        let info = topics.status(.info)
        _ = try await next(after: mark, "the engine to be known", limit: limit) { message in
            message.topic == info && (try? JSON.parse(message.payload))?["engine"]?.string != nil
        }
    }

    /// Waits for a report or event of `topic` that is as wanted.
    @discardableResult
    package func report(
        _ topic: String, _ what: String, after mark: Int = 0, limit: Duration = .seconds(20),
        where isWanted: @escaping @Sendable (JSON) -> Bool
    ) async throws -> JSON {
        let message = try await next(after: mark, what, limit: limit) { message in
            message.topic == topic && (try? JSON.parse(message.payload)).map(isWanted) == true
        }
        return try JSON.parse(message.payload)
    }

    /// Waits until a server's state report is as wanted.
    @discardableResult
    package func report(
        of server: ServerID, _ what: String, after mark: Int = 0, limit: Duration = .seconds(20),
        where isWanted: @escaping @Sendable (JSON) -> Bool
    ) async throws -> JSON {
        try await report(topics.status(server, .state), what, after: mark, limit: limit, where: isWanted)
    }

    /// The events of a server that have been heard after `mark`.
    package func events(of server: ServerID, after mark: Int = 0) -> [JSON] {
        let topic = topics.event(server)
        return messages.dropFirst(mark).filter { $0.topic == topic }.compactMap { try? JSON.parse($0.payload) }
    }

    /// Waits for an event of a server.
    @discardableResult
    package func event(
        _ type: ServerEvent, of server: ServerID, after mark: Int = 0, limit: Duration = .seconds(20)
    ) async throws -> JSON {
        let topic = topics.event(server)
        let message = try await next(after: mark, "\(server): \(type)", limit: limit) { message in
            message.topic == topic && (try? JSON.parse(message.payload))?["event_type"]?.string == type.rawValue
        }
        return try JSON.parse(message.payload)
    }
}
