import Docker
import FoundationEssentials
import Logging
import Peon
import Plans

/// Keeps what the fleet knows in step with the engine: events are hints, inspecting is the truth.
struct Reconciler: Sendable {
    let engine: Engine
    let fleet: Fleet
    let settings: AgentSettings
    let board: HostBoard
    let logger: Logger

    /// Follows the engine until the task is cancelled; a lost stream is taken up again with a full look.
    func run() async {
        var lastFailure: String?
        while !Task.isCancelled {
            do {
                let version = try await engine.negotiate()
                board.setEngine(version: version.version, api: engine.apiVersion)
                try await follow { lastFailure = nil }
            } catch {
                fleet.setEngineReachable(false)
                if !Task.isCancelled, lastFailure != "\(error)" {
                    lastFailure = "\(error)"
                    logger.warning("lost the container engine", metadata: ["reason": "\(error)"])
                }
            }
            try? await Task.sleep(for: .seconds(1))  // cancelled: the loop sees it too
        }
    }

    private func follow(onOpen: () -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await engine.events {
                onOpen()
                try await lookAtAll()
                fleet.setEngineReachable(true)
                logger.info("following the container engine", metadata: ["engine.api": "\(engine.apiVersion ?? "")"])
            } each: { event in
                guard let id = server(of: event) else { return }
                if note(event, of: id) { group.addTask { await look(at: id) } }
            }
        }
    }

    /// Lists all containers and inspects those of servers, side by side, so that one that hangs holds up none.
    func lookAtAll() async throws {
        let containers = try await engine.containers()
        let present = Set(containers.compactMap { adopt($0) })
        await withDiscardingTaskGroup { group in
            for server in fleet.all {
                if present.contains(server.id) {
                    group.addTask { await look(at: server.id) }
                } else if let number = fleet.beginLook(server.id) {
                    fleet.endLook(server.id, number: number, found: nil)
                }
            }
        }
    }

    /// Inspects a server's container and takes over what is found.
    func look(at id: ServerID) async {
        guard let number = fleet.beginLook(id) else { return }
        do {
            fleet.endLook(id, number: number, found: try await engine.inspect(containerName(id)))
        } catch EngineError.refused(status: 404, _) {
            fleet.endLook(id, number: number, found: nil)
        } catch {
            logger.warning("cannot inspect a container", metadata: ["server.id": "\(id)", "error": "\(error)"])
        }
    }

    /// The id of the container that was last seen, since its name may have been changed; else the name.
    private func containerName(_ id: ServerID) -> String {
        fleet[id]?.container?.id ?? ServerConfig.containerName(id)
    }

    /// Makes a container's server known where it is not yet.
    private func adopt(_ container: ContainerSummary) -> ServerID? {
        let labels = container.labels ?? [:]
        guard let id = Self.server(name: container.name, labels: labels) else { return nil }
        if fleet[id] == nil {
            guard isOurs(labels) else { return nil }
            fleet.add(adopted(id, isRunning: container.state == "running"))
        }
        return id
    }

    /// Whether no other agent has made the container.
    private func isOurs(_ labels: [String: String]) -> Bool {
        labels[Label.host].map { $0 == settings.host.description } ?? true
    }

    private func adopted(_ id: ServerID, isRunning: Bool) -> Server {
        let folder = ServerFolder(id, in: settings.servers)
        let config = try? folder.config()  // an unreadable one is reported by the check of the folders
        return Server(id: id, folder: folder, config: config ?? nil, desired: isRunning ? .running : .stopped)
    }

    private func server(of event: EngineEvent) -> ServerID? {
        let known = fleet.all.first { $0.container?.id == event.actor.id }?.id
        let labels = event.actor.attributes ?? [:]
        guard let id = known ?? Self.server(name: event.name, labels: labels) else { return nil }
        if fleet[id] == nil, isOurs(labels),
            event.action == "create" || event.action == "start" || event.action == "rename"
        {
            fleet.add(adopted(id, isRunning: event.action == "start"))
        }
        return id
    }

    /// Takes over what an event tells.
    ///
    /// Answers whether the container should be inspected too; an action that is under way does that at its own end.
    private func note(_ event: EngineEvent, of id: ServerID) -> Bool {
        var needsLook = true
        fleet.update(id) { server in
            guard server.container == nil || server.container?.id == event.actor.id else { return }
            switch event.action {
            case "start":
                server.externalSignal = nil
                server.sawOutOfMemory = false
                server.failure = nil
                if server.step == .none { server.ending = nil }
            case "oom": server.sawOutOfMemory = true
            case "kill":
                if server.step == .none {
                    server.externalSignal = event.actor.attributes?["signal"].flatMap { Int($0) }
                }
                needsLook = false
            default: break
            }
            if server.take(event) { needsLook = server.step == .none }
        }
        return needsLook
    }

    /// Which server a container belongs to: by our label, else by PEON's way of naming.
    static func server(name: String?, labels: [String: String]) -> ServerID? {
        labels[Label.uid].flatMap { ServerID(uid: $0) } ?? name.flatMap { ServerConfig.server(ofContainer: $0) }
    }
}
