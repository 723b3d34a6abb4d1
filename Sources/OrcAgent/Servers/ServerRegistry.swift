import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcMQTT
import OrcPlans
import OrcStorage
import Synchronization

/// Every server of this machine, and the reports about them: what changes here is on the bus at once.
final class ServerRegistry: Sendable {
    /// What changes call for that takes time, in order.
    let followUps: AsyncStream<FollowUp>

    /// Something that has to be seen to, after a server has passed from one state to another.
    enum FollowUp: Sendable {
        case awaitReadiness(ServerID)
        /// A run has ended: it is to be told, and judged.
        case judgeEnd(ServerID, ServerEvent)
        /// A server is to be brought up again.
        case restore(ServerID)
        /// A start did not come about, and is tried again at the time that the history of the server says.
        case retryStart(ServerID)
        /// What could not be done is to be tried again.
        case again(ServerID, ServerJob.RecoveryTask)
        /// A server takes more of the disk than it may.
        case stopForRoom(ServerID)
        /// The engine is followed again, and every server has been looked at.
        case recover
    }

    let reports: ReportPublisher
    let store: StateStore
    private let audit: AuditLog
    /// At which players reach this machine.
    let publicIP: String?
    private let logger: Logger
    let followUp: AsyncStream<FollowUp>.Continuation
    let state = Mutex(State())
    private let looks = Atomic(0)
    private let added = Mutex<(@Sendable (ServerID) -> Void)?>(nil)

    struct State {
        var servers: [ServerID: ServerRecord] = [:]
        /// Whose a container is, by its id.
        var containers: [String: ServerID] = [:]
        /// The metrics that stand on the bus, of servers that run.
        var metrics: [ServerID: Metrics] = [:]
        /// Servers whose metrics the broker has been told to forget.
        var quiet: Set<ServerID> = []
        var isEngineReachable = false
        var isComplete = false
        var hasBeenReachable = false

        /// What was another server's meanwhile stays that server's.
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
        (followUps, followUp) = AsyncStream.makeStream(bufferingPolicy: .unbounded)  // no more than there are changes
    }

    /// Whether every server's folder could be read: one that could not may still be a server's.
    var isComplete: Bool { state.withLock { $0.isComplete } }
    func noteComplete() { state.withLock { $0.isComplete = true } }

    subscript(id: ServerID) -> ServerRecord? { state.withLock { $0.servers[id] } }
    var all: [ServerRecord] { state.withLock { $0.servers.values.sorted { $0.id < $1.id } } }
    func server(ofContainer container: String) -> ServerID? { state.withLock { $0.containers[container] } }
    var isEngineReachable: Bool { state.withLock { $0.isEngineReachable } }

    /// Waits until the engine has been followed once, or for so many seconds.
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

    /// Has `body` called with each server that becomes known from now on.
    func onAdd(_ body: @escaping @Sendable (ServerID) -> Void) { added.withLock { $0 = body } }

    /// Forgets a server; nothing of it stays on the broker.
    func remove(_ id: ServerID) {
        state.withLock { state in
            let server = state.servers.removeValue(forKey: id)
            state.setContainer(of: id, from: server?.container?.id, to: nil)
            state.metrics[id] = nil
            state.quiet.remove(id)
            reports.clearAll(of: id)
        }
        publishIndex()
        forgetGone()
    }

    /// Takes servers that are gone off the list of those the broker knows of, once it has been told so.
    func forgetGone() {
        guard reports.isCleared else { return }
        note("gone servers") {
            for id in try store.announced() where self[id] == nil { try store.setAnnounced(false, id) }
        }
    }

    /// Changes what is known of a server, and has all that follows from it published and seen to.
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
            see(to: effects, of: server)
        }
    }

    private func see(to effects: [ServerEffect], of server: ServerRecord) {
        let isEnd = effects.contains(.considerRestart)
        for effect in effects {
            if case .announce(let event) = effect, server.operation.cause == .external {
                audit.noteExternal(event, of: server.id)
            }
            switch effect {
            case .announce(let event) where isEnd && event.isEnd: followUp.yield(.judgeEnd(server.id, event))
            case .announce(let event): announce(event, of: server)
            case .awaitReadiness: followUp.yield(.awaitReadiness(server.id))
            case .considerRestart: break  // with the event that tells of the end
            }
        }
    }

    /// Tells of what happened to a server.
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

    /// Has what could not be done to a server tried again later.
    func tryAgain(_ task: ServerJob.RecoveryTask, of id: ServerID) { followUp.yield(.again(id, task)) }

    /// Has a server stopped that takes more of the disk than it may.
    func stopForRoom(_ id: ServerID) { followUp.yield(.stopForRoom(id)) }

    func setEngineReachable(_ isReachable: Bool) {
        let (isNews, isFirst) = state.withLock { state in
            guard state.isEngineReachable != isReachable else { return (false, false) }
            defer { state.hasBeenReachable = true }
            state.isEngineReachable = isReachable
            for id in state.servers.keys {
                publishAvailability(of: id, isReachable: isReachable)
                // Who waited for a run to become ready has lost the engine too.
                if !isReachable { state.servers[id]?.run.isWatched = false }
            }
            return (true, !state.hasBeenReachable)
        }
        guard isNews else { return }
        if !isFirst { announce(isReachable ? .engineBack : .engineLost) }
        if isReachable { followUp.yield(.recover) }
    }

    /// The engine that is looked at next is another run of it than before.
    func noteEngineRestart(lostAt: Date?) {
        state.withLock { state in
            for id in state.servers.keys { state.servers[id]?.view.engineRestart = .init(lostAt: lostAt) }
        }
    }

    /// Has the broker forget the servers that were there once and are not now.
    func clearGone(_ announced: Set<ServerID>) {
        for id in announced where self[id] == nil { remove(id) }
        publishIndex()
    }

    /// A number for a look at a container that begins now.
    func beginLook() -> Int { looks.add(1, ordering: .relaxed).newValue }

    /// Notes that a look could not be taken, so that it is tried again.
    ///
    /// `reason`: where the engine answers, only not about this server.
    func failLook(_ id: ServerID, reason: String?) {
        update(id) { server in
            server.view.needsLook = true
            if let reason { server.view.unseenReason = reason }
        }
    }

    /// Takes what a look found, unless a later one has been taken already.
    func endLook(_ id: ServerID, number: Int, found container: Container?) {
        update(id) { server in
            guard number > server.view.lastLook else { return }
            server.view.lastLook = number
            server.observe(container)
            server.noteHealth()
        }
        guard let server = self[id] else { return }
        // Of one that was taken over with its container alone, nothing is left.
        if server.container == nil, server.config == nil, server.operation.step == .none, !server.folder.hasConfig {
            return remove(id)
        }
        guard server.intent.stored == nil, server.intent.desired == .running else { return }
        note("what is wanted") { try store.set(.desired(server.intent.desired), for: id) }
        update(id) { $0.intent.stored = $0.intent.desired }
    }

    /// Notes a step on the disk, or with nil that none is under way.
    func keep(_ step: StateStore.PendingOperation?, of id: ServerID) { note("a step") { try store.set(step, for: id) } }

    /// Notes on the disk what was found out about a run.
    func keep(_ readiness: StateStore.Readiness, of id: ServerID) {
        note("what a run is like") { try store.note(readiness, for: id) }
    }

    /// Goes on where what is only remembered cannot be written: reports matter more.
    func note(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch {
            logger.error("the store cannot be written", metadata: ["what": "\(what)", "error": "\(error)"])
        }
    }
}

extension ServerEvent {
    /// Whether it tells of the end of a run.
    fileprivate var isEnd: Bool { self == .stopped || self == .crashed || self == .failed }
}
