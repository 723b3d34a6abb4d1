import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Keeps the registry consistent with the container engine: events are hints, an inspect is authoritative.
struct EngineReconciler: Sendable {
    let engine: any ContainerEngine
    let registry: ServerRegistry
    let settings: AgentSettings
    let reporter: AgentReporter
    let store: StateStore
    let logger: Logger

    /// Delay of the inspect after an event that already shows the new state.
    private static let inspectDelay = Duration.milliseconds(300)
    /// INT, QUIT, KILL and TERM: signals that are meant to end a server.
    private static let endingSignals: Set<Int> = [2, 3, 9, 15]

    /// Follows the engine until cancelled; after the loss of the stream it connects again and inspects everything.
    func run() async {
        var lastFailure: String?
        var lostAt: Date?
        var wait = Wait()
        while !Task.isCancelled {
            do {
                let version = try await engine.connect()
                reporter.setEngine(version: version.version, api: version.api)
                let instance = try await engine.instance()
                let isAnother = try store.engineRun().map { $0 != instance.id } ?? false
                if isAnother || !instance.isCertain && wait.hasFailed { registry.noteEngineRestart(lostAt: lostAt) }
                let opened = AtomicFlag()
                defer {
                    if opened.isSet {
                        lastFailure = nil
                        wait = Wait()
                    }
                }
                try await whileAnswering {
                    try await follow(version) {
                        try store.set(engineRun: instance.id)
                        opened.set()
                    }
                }
            } catch {
                if wait.attempts == 0, registry.isEngineReachable { lostAt = Date() }
                // A lost stream is opened again at once; only if that fails, the engine counts as unreachable.
                if wait.attempts > 0 { registry.setEngineReachable(false) }
                if !Task.isCancelled, lastFailure != "\(error)" {
                    lastFailure = "\(error)"
                    logger.warning("lost the container engine", metadata: ["reason": "\(error)"])
                }
            }
            try? await Task.sleep(for: wait.next())  // if cancelled, the loop ends too
        }
    }

    /// Delays between attempts to connect: 20 ms after a loss, to see if the engine itself is gone, then one second.
    private struct Wait {
        private(set) var attempts = 0
        /// True if an attempt has failed since the engine was lost.
        var hasFailed: Bool { attempts > 1 }

        mutating func next() -> Duration {
            attempts += 1
            return attempts == 1 ? .milliseconds(20) : .seconds(1)
        }
    }

    private func follow(_ version: EngineVersion, onOpen: () throws -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await lookAgain() }
            try await engine.events {
                try await lookAtAll()
                try onOpen()
                registry.setEngineReachable(true)
                logger.info("following the container engine", metadata: ["engine.api": "\(version.api ?? "")"])
            } each: { event in
                guard let id = server(of: event), note(event, of: id) else { return }
                let canWait = event.kind.impliesState
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    // The state is published already, and the engine is busy during a burst of ends.
                    if canWait { try? await Task.sleep(for: Self.inspectDelay) }  // cancelled if the stream has ended
                    await look(at: id)
                }
            }
        }
    }

    /// Runs `body` as long as the engine answers pings.
    ///
    /// The pings are needed because a hanging engine keeps its streams open without sending any data.
    private func whileAnswering(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.pingInterval)
                    try await engine.ping()
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static let pingInterval = Duration.seconds(8)

    /// Repeats failed inspects every 2 seconds, and inspects everything each minute in case an event was missed.
    private func lookAgain() async throws {
        for round in 1... {
            try await Task.sleep(for: .seconds(2))
            if round.isMultiple(of: 30) { try await lookAtAll() }
            await withDiscardingTaskGroup { group in
                for server in registry.all where server.view.needsLook { group.addTask { await look(at: server.id) } }
            }
        }
    }

    /// Lists all containers and inspects those of servers concurrently, so that a slow inspect does not delay others.
    func lookAtAll() async throws {
        // A container that is not in the list was missing when the list was requested, not when it arrived.
        let number = registry.beginLook()
        let known = Set(registry.all.map(\.id))
        var present: [ServerID: String] = [:]
        for container in try await engine.containers() {
            guard let id = try adopt(container) else { continue }
            // If two containers claim to be the server's, the one with the server's own name is used.
            if present[id] == nil || container.name == ServerConfig.containerName(id) { present[id] = container.id }
        }
        let listed = present
        await withDiscardingTaskGroup { group in
            for server in registry.all {
                if let container = listed[server.id] {
                    group.addTask { await look(at: server.id, listedAs: container) }
                } else if known.contains(server.id) {
                    registry.endLook(server.id, number: number, found: nil)
                }
            }
        }
    }

    /// Inspects a server's container and takes the result; a failure is recorded, and repeated later.
    func look(at id: ServerID, listedAs container: String? = nil) async {
        do { try await find(id, listedAs: container) } catch {
            registry.failLook(id, reason: Self.unseenReason(error))
            logger.warning("cannot inspect a container", metadata: ["server.id": "\(id)", "error": "\(error)"])
        }
    }

    /// Returns the reason why the inspect of one container failed; nil if the engine does not answer at all.
    private static func unseenReason(_ error: any Error) -> String? {
        switch error {
        case EngineFailure.timeout: "inspect_timeout"
        case EngineFailure.unreadable: "inspect_unreadable"
        default: nil
        }
    }

    /// Inspects a server's container and takes the result; throws if the engine does not answer.
    ///
    /// The inspect continues if the calling command is cancelled, so that the command's effects are recorded.
    func find(_ id: ServerID, listedAs container: String? = nil) async throws {
        try await Task {
            let number = registry.beginLook()
            registry.endLook(id, number: number, found: try await inspect(id, listedAs: container))
        }.value
    }

    /// Inspects a container by its known id, else by its name.
    ///
    /// The id comes first, as the name may have changed; the name is needed, as the container may be a new one.
    private func inspect(_ id: ServerID, listedAs container: String?) async throws -> Container? {
        for candidate in [container ?? registry[id]?.container?.id, ServerConfig.containerName(id)].compactMap(\.self) {
            do { return try await engine.inspect(candidate) } catch EngineFailure.notFound { continue }
        }
        return nil
    }

    /// Returns the server of a container; nil if the container belongs to no server of this agent.
    ///
    /// A server that is not in the registry is added.
    private func adopt(_ container: ListedContainer) throws -> ServerID? {
        guard let id = Self.server(name: container.name, labels: container.labels) else { return nil }
        if registry[id] == nil {
            guard ContainerLabel.allows(container.labels, settings.host) else { return nil }
            registry.add(try adopted(id))
        }
        return id
    }

    private func adopted(_ id: ServerID) throws -> ServerRecord {
        ServerRecord(found: ServerFolder(id, in: settings.servers), kept: try store.kept()[id], logger: logger)
    }

    private func server(of event: ContainerEvent) -> ServerID? {
        guard
            let id = registry.server(ofContainer: event.container)
                ?? Self.server(name: event.name, labels: event.labels)
        else { return nil }
        if registry[id] == nil, ContainerLabel.allows(event.labels, settings.host),
            [.created, .started, .renamed].contains(event.kind)
        {
            // If the store cannot be read, the owner's intent is unknown; the next full look adds the server.
            guard let server = try? adopted(id) else { return nil }
            registry.add(server)
        }
        return id
    }

    /// Records an event in the server's record.
    ///
    /// Returns true if the container should be inspected too. An inspect is not needed during an operation, which
    /// inspects the container when it ends.
    private func note(_ event: ContainerEvent, of id: ServerID) -> Bool {
        var needsLook = true
        let number = registry.beginLook()
        registry.update(id) { server in
            guard server.container == nil || server.container?.id == event.container else { return }
            switch event.kind {
            case .started:
                server.view.externalSignal = nil
                server.view.sawOutOfMemory = false
                server.operation.failure = nil
                if server.operation.step == .none {
                    server.operation.ending = nil
                    server.operation.cause = .external
                }
            case .paused, .unpaused, .removed: if server.operation.step == .none { server.operation.cause = .external }
            case .died:
                if server.operation.step != .stopping, server.view.externalSignal == nil {
                    server.operation.cause = .engine
                }
            case .outOfMemory:
                server.view.sawOutOfMemory = true
                server.effects.append(.announce(.outOfMemory))
            case .signalled(let signal):
                // The first signal shows the intent: KILL may follow TERM after the grace period.
                let isFirst =
                    server.view.externalSignal.map { event.at.timeIntervalSince($0.at) > ServerRecord.signalLifetime }
                    ?? true
                if isFirst, server.operation.step == .none, let signal, Self.endingSignals.contains(signal) {
                    server.view.externalSignal = (signal, event.at)
                    server.operation.cause = .external
                }
                needsLook = false
            case .created, .renamed, .healthChanged, .updated: break
            }
            // An operation that is under way inspects when it ends. A process id from a look that began before this
            // event is lost, as the result of that look is ignored.
            if server.take(event, look: number) {
                needsLook =
                    server.operation.step == .none || server.isRunning && server.container?.state.processID == nil
            }
        }
        return needsLook
    }

    /// Returns the server that a container belongs to: by the agent's label, else by PEON's naming scheme.
    static func server(name: String?, labels: [String: String]) -> ServerID? {
        labels[ContainerLabel.uid].flatMap { ServerID(uid: $0) }
            ?? name.flatMap { ServerConfig.server(ofContainer: $0) }
    }
}

extension ContainerEvent.Kind {
    /// True if the event shows the new state, so that the inspect can be delayed.
    fileprivate var impliesState: Bool {
        switch self {
        case .died, .paused, .unpaused: true
        case .created, .started, .signalled, .outOfMemory, .renamed, .removed, .healthChanged, .updated: false
        }
    }
}
