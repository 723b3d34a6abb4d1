import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcMQTT
import OrcPlans
import OrcStorage
import Synchronization

/// The records of all servers of the host; every change is published at once.
final class ServerRegistry: Sendable {
    /// Follow-up work of state changes, in order; carried out by ``ServerSupervisor``.
    let followUps: AsyncStream<FollowUp>

    /// Work that follows a change of state and takes time.
    enum FollowUp: Sendable {
        case awaitReadiness(ServerID)
        /// A run has ended; the restart policy must be applied to the end, which must then be announced.
        case judgeEnd(ServerID, ServerEvent)
        /// A server must be started again, because the engine or the agent ended.
        case restore(ServerID)
        /// A start failed; it is repeated at the time in the server's restart history.
        case retryStart(ServerID)
        /// A recovery task could not be carried out and must be repeated.
        case again(ServerID, ServerJob.RecoveryTask)
        /// A server exceeds its disk limit.
        case stopForRoom(ServerID)
        /// The engine is reachable again, and every server has been inspected.
        case recover
    }

    let reports: ReportPublisher
    let store: StateStore
    private let audit: AuditLog
    /// Public address of the host, for players; nil if it is not configured.
    let publicIP: String?
    private let logger: Logger
    let followUp: AsyncStream<FollowUp>.Continuation
    let state = Mutex(State())
    private let looks = Atomic(0)
    private let added = Mutex<(@Sendable (ServerID) -> Void)?>(nil)

    struct State {
        var servers: [ServerID: ServerRecord] = [:]
        /// Servers by the ids of their containers.
        var containers: [String: ServerID] = [:]
        /// The published metrics of running servers.
        var metrics: [ServerID: Metrics] = [:]
        /// Servers whose metrics have been removed from the broker.
        var quiet: Set<ServerID> = []
        var isEngineReachable = false
        var isComplete = false
        var hasBeenReachable = false

        /// Updates ``containers``; keeps the entry of an old id that belongs to another server meanwhile.
        mutating func setContainer(of server: ServerID, from old: String?, to new: String?) {
            guard old != new else { return }
            if let old, containers[old] == server { containers[old] = nil }
            if let new { containers[new] = server }
        }
    }

    init(
        reports: ReportPublisher, store: StateStore, audit: AuditLog, publicIP: String?, logger: Logger
    ) {
        self.reports = reports
        self.store = store
        self.audit = audit
        self.publicIP = publicIP
        self.logger = logger
        (followUps, followUp) = AsyncStream.makeStream(bufferingPolicy: .unbounded)  // bounded by the number of changes
    }

    /// True if the folders of all servers could be read; if false, there may be servers that are not in the registry.
    var isComplete: Bool { state.withLock { $0.isComplete } }
    func noteComplete() { state.withLock { $0.isComplete = true } }

    subscript(id: ServerID) -> ServerRecord? { state.withLock { $0.servers[id] } }
    var all: [ServerRecord] { state.withLock { $0.servers.values.sorted { $0.id < $1.id } } }
    func server(ofContainer container: String) -> ServerID? { state.withLock { $0.containers[container] } }
    var isEngineReachable: Bool { state.withLock { $0.isEngineReachable } }

    /// Waits until the engine has been reachable once, at most `seconds`.
    func isObserved(within seconds: Double) async {
        let end = ContinuousClock.now + .seconds(seconds)
        while !state.withLock({ $0.hasBeenReachable }), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { return }
        }
    }

    /// Adds a server that is not known yet.
    func add(_ server: ServerRecord) {
        note("announced server") { try store.setAnnounced(true, server.id) }
        state.withLock { state in
            guard state.servers[server.id] == nil else { return }
            state.servers[server.id] = server
            publishAvailability(of: server.id, isReachable: state.isEngineReachable)
        }
        added.withLock { $0 }?(server.id)
        publishIndex()
    }

    /// Sets the function that is called with each server added from now on.
    func onAdd(_ body: @escaping @Sendable (ServerID) -> Void) { added.withLock { $0 = body } }

    /// Changes a server's record, decides its state, publishes its report and queues the follow-up work.
    func update(_ id: ServerID, _ change: (inout ServerRecord) -> Void) {
        state.withLock { state in
            guard var server = state.servers[id] else { return }
            let (neededRestore, container) = (server.operation.needsRestore, server.container?.id)
            change(&server)
            state.setContainer(of: id, from: container, to: server.container?.id)
            server.decideState()
            if server.operation.needsRestore, !neededRestore { followUp.yield(.restore(id)) }
            let effects = server.effects
            server.effects = []
            state.servers[id] = server
            publish(id, in: &state)
            handle(effects, of: server)
        }
    }

    private func handle(_ effects: [ServerEffect], of server: ServerRecord) {
        let isEnd = effects.contains(.considerRestart)
        for effect in effects {
            if case .announce(let event) = effect, server.operation.cause == .external {
                audit.noteExternal(event, of: server.id)
            }
            switch effect {
            case .announce(let event) where isEnd && event.isEnd: followUp.yield(.judgeEnd(server.id, event))
            case .announce(let event): announce(event, of: server)
            case .awaitReadiness: followUp.yield(.awaitReadiness(server.id))
            case .considerRestart: break  // judged together with the event of the end
            }
        }
    }

    /// Publishes an event of a server, with its state and reason.
    func announce(_ event: ServerEvent, of server: ServerRecord, data: JSON.Object = [:]) {
        var whole: JSON.Object = [
            "state": .string(server.condition.state.rawValue), "reason": .optional(server.condition.reason),
        ]
        whole.merge(data)
        announce(event, of: server.id, cause: server.operation.cause, data: .object(whole))
    }

    func announce(_ event: ServerEvent, of id: ServerID, cause: Cause, data: JSON = [:]) {
        reports.announce(.server(id, EventReport(event, cause: cause, data: data)))
    }

    func announce(_ event: AgentEvent, data: JSON = [:]) {
        reports.announce(.agent(EventReport(event, cause: .engine, data: data)))
    }

    /// Queues a recovery task that could not be carried out, to be repeated later.
    func tryAgain(_ task: ServerJob.RecoveryTask, of id: ServerID) { followUp.yield(.again(id, task)) }

    /// Queues the stop of a server that exceeds its disk limit.
    func stopForRoom(_ id: ServerID) { followUp.yield(.stopForRoom(id)) }

    func setEngineReachable(_ isReachable: Bool) {
        let (isNews, isFirst) = state.withLock { state in
            guard state.isEngineReachable != isReachable else { return (false, false) }
            defer { state.hasBeenReachable = true }
            state.isEngineReachable = isReachable
            for id in state.servers.keys {
                publishAvailability(of: id, isReachable: isReachable)
                // The readiness check has lost the engine too, and must begin again.
                if !isReachable { state.servers[id]?.run.isWatched = false }
            }
            return (true, !state.hasBeenReachable)
        }
        guard isNews else { return }
        if !isFirst { announce(isReachable ? .engineBack : .engineLost) }
        if isReachable { followUp.yield(.recover) }
    }

    /// Records for all servers that the engine has been restarted.
    ///
    /// `lostAt`: time when the engine was lost; nil if the agent did not run then.
    func noteEngineRestart(lostAt: Date?) {
        state.withLock { state in
            for id in state.servers.keys { state.servers[id]?.view.engineRestart = .init(lostAt: lostAt) }
        }
    }

    /// Returns a number for an inspect of a container that begins now; later inspects get higher numbers.
    func beginLook() -> Int { looks.add(1, ordering: .relaxed).newValue }

    /// Records that the inspect of a server's container failed, so that it is repeated.
    ///
    /// `reason`: set if the engine answers, but not about this container.
    func failLook(_ id: ServerID, reason: String?) {
        update(id) { server in
            server.view.needsLook = true
            if let reason { server.view.unseenReason = reason }
        }
    }

    /// Takes the result of an inspect, unless the result of a later inspect has been taken already.
    func endLook(_ id: ServerID, number: Int, found container: Container?) {
        update(id) { server in
            guard number > server.view.lastLook else { return }
            server.view.lastLook = number
            server.observe(container)
            server.noteHealth()
        }
        guard let server = self[id] else { return }
        // A server without a folder existed only as its container, which is gone.
        if server.container == nil, server.config == nil, server.operation.step == .none, !server.folder.hasConfig {
            return remove(id)
        }
        guard server.intent.stored == nil, server.intent.desired == .running else { return }
        note("desired state") { try store.set(.desired(server.intent.desired), for: id) }
        update(id) { $0.intent.stored = $0.intent.desired }
    }

    /// Stores the operation that is in progress on a server; nil if there is none.
    func keep(_ step: StateStore.PendingOperation?, of id: ServerID) { note("step") { try store.set(step, for: id) } }

    /// Stores the readiness of a run.
    func keep(_ readiness: StateStore.Readiness, of id: ServerID) {
        note("readiness") { try store.note(readiness, for: id) }
    }

    /// Runs a write to the store; a failure is only logged, so that reports are still published.
    ///
    /// `what`: description of the data for the log.
    func note(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch {
            logger.error("the store cannot be written", metadata: ["what": "\(what)", "error": "\(error)"])
        }
    }
}

extension ServerEvent {
    /// True if the event announces the end of a run.
    fileprivate var isEnd: Bool { self == .stopped || self == .crashed || self == .failed }
}
