import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Keeps what the registry knows in step with the engine: events are hints, inspecting is the truth.
struct EngineReconciler: Sendable {
    let engine: any ContainerEngine
    let registry: ServerRegistry
    let settings: AgentSettings
    let reporter: AgentReporter
    let store: StateStore
    let logger: Logger

    /// How long the inspect waits after an event that tells all that matters.
    private static let leisure = Duration.milliseconds(300)
    /// INT, QUIT, KILL and TERM: what is meant to end a server.
    private static let endingSignals: Set<Int> = [2, 3, 9, 15]

    /// Follows the engine until the task is cancelled; a lost stream is taken up again with a full look.
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
                // A stream that is cut is taken up again at once; only where that fails the engine is gone.
                if wait.attempts > 0 { registry.setEngineReachable(false) }
                if !Task.isCancelled, lastFailure != "\(error)" {
                    lastFailure = "\(error)"
                    logger.warning("lost the container engine", metadata: ["reason": "\(error)"])
                }
            }
            try? await Task.sleep(for: wait.next())  // cancelled: the loop sees it too
        }
    }

    /// At once after a loss, to see whether the engine itself is gone; then not more than once a second.
    private struct Wait {
        private(set) var attempts = 0
        /// Whether the engine has been asked in vain since it was lost.
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
                let canWait = event.kind.tellsAll
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    // In a burst of ends the engine is busy enough, and the report is out.
                    if canWait { try? await Task.sleep(for: Self.leisure) }  // cancelled: the stream has ended
                    await look(at: id)
                }
            }
        }
    }

    /// Runs `body` for as long as the engine answers: one that hangs keeps its streams open and says nothing.
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

    /// Repeats looks that failed, and each minute looks at all, should an event have been missed.
    private func lookAgain() async throws {
        for round in 1... {
            try await Task.sleep(for: .seconds(2))
            if round.isMultiple(of: 30) { try await lookAtAll() }
            await withDiscardingTaskGroup { group in
                for server in registry.all where server.view.needsLook { group.addTask { await look(at: server.id) } }
            }
        }
    }

    /// Lists all containers and inspects those of servers, side by side, so that one that hangs holds up none.
    func lookAtAll() async throws {
        // What is not in the list was missing when it was taken, not when it was read.
        let number = registry.beginLook()
        let known = Set(registry.all.map(\.id))
        var present: [ServerID: String] = [:]
        for container in try await engine.containers() {
            guard let id = try adopt(container) else { continue }
            // Of two that claim to be it, the one with the server's own name is.
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

    /// Inspects a server's container and takes over what is found; what cannot be found out now is tried again later.
    func look(at id: ServerID, listedAs container: String? = nil) async {
        do { try await find(id, listedAs: container) } catch {
            registry.failLook(id, reason: Self.silence(error))
            logger.warning("cannot inspect a container", metadata: ["server.id": "\(id)", "error": "\(error)"])
        }
    }

    /// Why an engine that answers otherwise does not say how one server is; nil where it does not answer at all.
    private static func silence(_ error: any Error) -> String? {
        switch error {
        case EngineFailure.timeout: "inspect_timeout"
        case EngineFailure.unreadable: "inspect_unreadable"
        default: nil
        }
    }

    /// As ``look(at:listedAs:)``, but throws where the engine gives no answer.
    ///
    /// It goes on when the command that wants it is broken off: what has been done must be seen.
    func find(_ id: ServerID, listedAs container: String? = nil) async throws {
        try await Task {
            let number = registry.beginLook()
            registry.endLook(id, number: number, found: try await inspect(id, listedAs: container))
        }.value
    }

    /// By the id that is known, since the name may have been changed; else by the name, since the container may have
    /// been replaced.
    private func inspect(_ id: ServerID, listedAs container: String?) async throws -> Container? {
        for candidate in [container ?? registry[id]?.container?.id, ServerConfig.containerName(id)].compactMap(\.self) {
            do { return try await engine.inspect(candidate) } catch EngineFailure.notFound { continue }
        }
        return nil
    }

    /// Makes a container's server known where it is not yet.
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
            // Without the store its wish is not known yet; the next full look adds it.
            guard let server = try? adopted(id) else { return nil }
            registry.add(server)
        }
        return id
    }

    /// Takes over what an event tells.
    ///
    /// Answers whether the container should be inspected too; an action that is under way does that at its own end.
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
                // Of a TERM and the KILL after its grace the first says what was meant.
                let isFirst = server.view.externalSignal.map { event.at.timeIntervalSince($0.at) > 600 } ?? true
                if isFirst, server.operation.step == .none, let signal, Self.endingSignals.contains(signal) {
                    server.view.externalSignal = (signal, event.at)
                    server.operation.cause = .external
                }
                needsLook = false
            case .created, .renamed, .healthChanged, .updated: break
            }
            // An action that is under way looks at its own end; that a look before this event told which process it is
            // is lost with that look.
            if server.take(event, look: number) {
                needsLook =
                    server.operation.step == .none || server.isRunning && server.container?.state.processID == nil
            }
        }
        return needsLook
    }

    /// Which server a container belongs to: by our label, else by PEON's way of naming.
    static func server(name: String?, labels: [String: String]) -> ServerID? {
        labels[ContainerLabel.uid].flatMap { ServerID(uid: $0) }
            ?? name.flatMap { ServerConfig.server(ofContainer: $0) }
    }
}

extension ContainerEvent.Kind {
    /// True if it tells all that matters at once, so that what an inspect adds can wait.
    fileprivate var tellsAll: Bool {
        switch self {
        case .died, .paused, .unpaused: true
        case .created, .started, .signalled, .outOfMemory, .renamed, .removed, .healthChanged, .updated: false
        }
    }
}
