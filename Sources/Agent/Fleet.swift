import Bus
import Docker
import FoundationEssentials
import Logging
import Peon
import Plans
import Store
import Synchronization

/// Every server of this machine, and the reports about them: what changes here is on the bus at once.
final class Fleet: Sendable {
    private let topics: Topics
    private let reports: RetainedReports
    private let store: Store
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var servers: [ServerID: Server] = [:]
        var isEngineReachable = false
    }

    init(topics: Topics, reports: RetainedReports, store: Store, logger: Logger) {
        self.topics = topics
        self.reports = reports
        self.store = store
        self.logger = logger
    }

    subscript(id: ServerID) -> Server? { state.withLock { $0.servers[id] } }
    var all: [Server] { state.withLock { $0.servers.values.sorted { $0.id < $1.id } } }
    func server(ofContainer container: String) -> ServerID? {
        state.withLock { $0.servers.first { $0.value.container?.id == container }?.key }
    }
    var isEngineReachable: Bool { state.withLock { $0.isEngineReachable } }

    /// Adds a server that is not known yet.
    func add(_ server: Server) {
        note("announced server") { try store.setAnnounced(true, server.id) }
        state.withLock { state in
            guard state.servers[server.id] == nil else { return }
            state.servers[server.id] = server
            publishAvailability(of: server.id, isReachable: state.isEngineReachable)
            publish(server.id, in: &state)
        }
        publishIndex()
    }

    /// Forgets a server; nothing of it stays on the broker.
    func remove(_ id: ServerID) {
        state.withLock { state in
            state.servers[id] = nil
            for report in Topics.ServerReport.allCases { reports.clear(topics.status(id, report)) }
        }
        publishIndex()
        note("gone server") { try store.setAnnounced(false, id) }
    }

    /// Changes what is known of a server and publishes what follows from it.
    func update(_ id: ServerID, _ change: (inout Server) -> Void) {
        state.withLock { state in
            guard var server = state.servers[id] else { return }
            change(&server)
            state.servers[id] = server
            publish(id, in: &state)
        }
    }

    /// Sets what the owner asked for; on the disk before it returns.
    func set(_ desired: Desired, for id: ServerID) throws {
        if self[id]?.storedDesired != desired { try store.set(.desired(desired), for: id) }
        update(id) { server in
            server.desired = desired
            server.storedDesired = desired
        }
    }

    func setEngineReachable(_ isReachable: Bool) {
        state.withLock { state in
            guard state.isEngineReachable != isReachable else { return }
            state.isEngineReachable = isReachable
            for id in state.servers.keys { publishAvailability(of: id, isReachable: isReachable) }
        }
    }

    /// Publishes every report again, as if it were new.
    func republish() {
        state.withLock { state in
            for id in state.servers.keys {
                state.servers[id]?.published = nil
                publish(id, in: &state)
            }
        }
    }

    /// Has the broker forget the servers that were there once and are not now.
    func clearGone(_ announced: Set<ServerID>) {
        for id in announced where self[id] == nil { remove(id) }
        publishIndex()
    }

    /// A number for a look at a server's container that begins now.
    func beginLook(_ id: ServerID) -> Int? {
        state.withLock { state in
            state.servers[id]?.looks += 1
            return state.servers[id]?.looks
        }
    }

    /// Notes that a look could not be taken, so that it is tried again.
    func failLook(_ id: ServerID) { update(id) { $0.needsLook = true } }

    /// Takes what a look found, unless a later one has been taken already.
    func endLook(_ id: ServerID, number: Int, found container: ContainerDetail?) {
        update(id) { server in
            guard number > server.lastLook else { return }
            server.lastLook = number
            if container == nil, server.container != nil, server.step == .none { server.lostContainer = true }
            if container != nil { server.lostContainer = false }
            server.container = container
            // Of a server whose owner has not said what he wants, what is found is what is wanted.
            if !server.isObserved, server.storedDesired == nil, server.step == .none {
                server.desired = container?.state.isUp == true ? .running : .stopped
            }
            server.isObserved = true
            server.needsLook = false
        }
    }

    private func publish(_ id: ServerID, in state: inout State) {
        guard var server = state.servers[id] else { return }
        let report = server.report
        guard report != server.published else { return }
        server.published = report
        server.seq += 1
        state.servers[id] = server
        let payload = report.json(seq: server.seq, at: Date()).bytes
        reports.set(Publication(topics.status(id, .state), payload, isRetained: true))
    }

    private func publishAvailability(of id: ServerID, isReachable: Bool) {
        let payload = AvailabilityReport.json(isReachable ? .online : .offline).bytes
        reports.set(Publication(topics.status(id, .availability), payload, isRetained: true))
    }

    private func publishIndex() {
        let index = state.withLock { $0.servers.keys.sorted() }
        reports.set(Publication(topics.status(.servers), ServersReport.json(index).bytes, isRetained: true))
    }

    /// Keeps on without the list of announced topics where it cannot be written: reports matter more.
    private func note(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch {
            logger.error("the store cannot be written", metadata: ["what": "\(what)", "error": "\(error)"])
        }
    }
}
