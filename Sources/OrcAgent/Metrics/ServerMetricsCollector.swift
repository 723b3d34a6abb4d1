import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcMetrics
import OrcPlans
import Synchronization

/// Measures the usage of running servers: once per interval, and each second for watched servers.
///
/// The usage is read from the kernel if it is visible there, which does not load the engine. If the kernel does not
/// show it (an engine on another host, an agent in a container of its own), single measurements are requested from the
/// engine.
final class ServerMetricsCollector: Sendable {
    private let engine: any ContainerEngine
    private let registry: ServerRegistry
    private let kernel = CgroupSampler()
    private let sizes = FolderSizeCache()
    private let diskLimit: DiskLimitWatcher
    /// Seconds between two measurements of all servers.
    private let interval: Double
    private let logger: Logger
    private let alarm = AsyncSignal()
    private let state = Mutex(State())

    /// Seconds between two measurements of a server that a client watches.
    private static let watchInterval = 1.0
    /// Seconds for which the usage of a new run is read each second even if no client watches the server.
    private static let newRunWatch = 3.0
    /// Largest number of servers that are watched at once.
    private static let maxWatched = 64
    /// Minimum seconds after which a measured usage is outdated.
    private static let minExpiry = 5.0
    /// Largest number of concurrent requests to the engine, which answers each at its next tick, within a second.
    private static let maxRequests = 16

    private struct State {
        /// The last measured usage of each running server.
        var readings: [ServerID: ResourceUsage] = [:]
        /// Times until which servers are watched by clients, by ``MonotonicClock``.
        var watches: [ServerID: Double] = [:]
        /// Times until which the usage of new runs is read each second without being watched, by ``MonotonicClock``.
        var looks: [ServerID: Double] = [:]
        /// Servers for which a request to the engine is in progress.
        var asked: Set<ServerID> = []
    }

    init(engine: any ContainerEngine, registry: ServerRegistry, interval: Int, logger: Logger) {
        self.engine = engine
        self.registry = registry
        diskLimit = DiskLimitWatcher(registry: registry)
        self.interval = Double(interval)
        self.logger = logger
    }

    /// Publishes a server's metrics each second for `seconds` from now; 0 ends the publication.
    ///
    /// An earlier request that lasts longer remains in effect.
    ///
    /// - Returns: false if too many servers are watched already.
    func watch(_ server: ServerID, seconds: Int) -> Bool {
        let now = MonotonicClock.seconds
        let isNew = state.withLock { state -> Bool? in
            state.watches = state.watches.filter { $0.value > now }
            let until = state.watches[server]
            guard seconds > 0 else {
                state.watches[server] = nil
                return false
            }
            guard until != nil || state.watches.count < Self.maxWatched else { return nil }
            state.watches[server] = max(until ?? 0, now + Double(seconds))
            return until == nil
        }
        if isNew == true { alarm.ring() }
        return isNew != nil
    }

    /// Reads the usage of a new run at once and again within seconds, since rates require two readings.
    func look(at server: ServerID) {
        let until = MonotonicClock.seconds + Self.newRunWatch
        state.withLock { $0.looks[server] = until }
        alarm.ring()
    }

    /// Reads the usage of all servers in the same way as ``look(at:)``.
    func lookAtAll() {
        let until = MonotonicClock.seconds + Self.newRunWatch
        let all = registry.all.map(\.id)
        state.withLock { state in for server in all { state.looks[server] = until } }
        alarm.ring()
    }

    /// Removes the data of a removed server, so that it is not used for a later server of the same name.
    func forget(_ server: ServerID) {
        sizes.forget(server)
        diskLimit.forget(server)
        state.withLock { $0.readings[server] = nil }
    }

    /// Runs until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var due = MonotonicClock.seconds
            while !Task.isCancelled {
                let now = MonotonicClock.seconds
                let isDue = now >= due
                // After a suspension of the host, one reading replaces all that were missed.
                if isDue { due = max(due + interval, now + interval / 2) }
                let quick = takeWatched(now)
                let servers = registry.all.filter { server in
                    server.isRunning && (isDue || quick.contains(server.id)) && !isFresh(server, now)
                }
                let hidden = claim(servers.filter { !measure($0) })
                if !hidden.isEmpty { group.addTask { await self.ask(for: hidden, first: quick) } }
                if isDue { forgetEnded() }
                let next = quick.isEmpty ? due : min(due, now + Self.watchInterval)
                await alarm.wait(.seconds(max(next - MonotonicClock.seconds, 0.01)))
            }
        }
    }

    /// Removes expired requests to watch servers, and returns the servers whose usage is read each second.
    private func takeWatched(_ now: Double) -> Set<ServerID> {
        state.withLock { state in
            state.watches = state.watches.filter { $0.value > now }
            state.looks = state.looks.filter { $0.value > now }
            return Set(state.watches.keys).union(state.looks.keys)
        }
    }

    /// True if the usage of this run was read so recently that rates from another reading would be noise.
    private func isFresh(_ server: ServerRecord, _ now: Double) -> Bool {
        guard let last = state.withLock({ $0.readings[server.id] }), last.run == server.runName else { return false }
        return now - last.readAt < Self.watchInterval * 0.8
    }

    private func forgetEnded() {
        let running = Set(registry.all.filter(\.isRunning).map(\.id))
        state.withLock { state in state.readings = state.readings.filter { running.contains($0.key) } }
        registry.dropStaleMetrics(olderThan: expiry)
    }

    /// Seconds after which a measured usage is outdated: three intervals, but at least ``minExpiry``.
    ///
    /// The minimum is needed because the engine is slow.
    private var expiry: Double { max(interval * 3, Self.minExpiry) }

    // Readings from the kernel.

    /// Reads a server's usage from the kernel and publishes it; false if the kernel does not show the usage.
    private func measure(_ server: ServerRecord) -> Bool {
        // The container has just started; the inspect that shows its process is under way.
        guard server.container?.state.processID != nil else { return true }
        guard let container = server.container, let run = server.runName,
            let usage = container.sampled.flatMap({ kernel.usage(of: $0, run: run) })
        else { return false }
        publish(usage, of: server)
        return true
    }

    // Readings from the engine.

    /// Marks servers as being requested from the engine, and returns those that were not marked before.
    private func claim(_ servers: [ServerRecord]) -> [ServerRecord] {
        state.withLock { state in servers.filter { state.asked.insert($0.id).inserted } }
    }

    private func ask(for servers: [ServerRecord], first: Set<ServerID>) async {
        let ordered = servers.filter { first.contains($0.id) } + servers.filter { !first.contains($0.id) }
        await withTaskGroup(of: Void.self) { group in
            for (index, server) in ordered.enumerated() {
                if index >= Self.maxRequests { await group.next() }
                group.addTask {
                    if let usage = await self.ask(for: server) { self.publish(usage, of: server) }
                    _ = self.state.withLock { $0.asked.remove(server.id) }
                }
            }
        }
    }

    /// Requests a server's usage from the engine; nil if the engine returns none.
    ///
    /// In that case the last published metrics are removed when they expire.
    private func ask(for server: ServerRecord) async -> ResourceUsage? {
        guard let container = server.container, let run = server.runName else { return nil }
        do {
            return try await engine.usage(of: container.id, run: run)
        } catch {
            logger.debug("no metrics from the engine", metadata: ["server.id": "\(server.id)", "error": "\(error)"])
            return nil
        }
    }

    private func publish(_ usage: ResourceUsage, of server: ServerRecord) {
        let earlier = state.withLock { state in
            defer { state.readings[server.id] = usage }
            return state.readings[server.id]
        }
        registry.publish(report(usage, since: earlier, of: server), of: server, expiry: UInt32(expiry))
    }

    private func report(_ usage: ResourceUsage, since earlier: ResourceUsage?, of server: ServerRecord) -> MetricsReport
    {
        var report = MetricsReport(usage, since: earlier, at: Date())
        if let size = sizes.size(of: server.id, folder: server.folder.path) {
            report.folderBytes = size.bytes
            diskLimit.judge(server, size)
        }
        return report
    }

    // Readings on request.

    /// Returns a server's present usage; nil if the server does not run, or neither the kernel nor the engine shows it.
    func now(_ server: ServerRecord) async -> MetricsReport? {
        guard server.isRunning, let container = server.container, let run = server.runName else { return nil }
        let earlier = state.withLock { $0.readings[server.id] }.flatMap { $0.run == run ? $0 : nil }
        // Within a second of the last reading rates would be noise, so that reading is returned.
        if isFresh(server, MonotonicClock.seconds), let last = registry.metrics(of: server.id), last.usage == earlier {
            return last
        }
        if let usage = container.sampled.flatMap({ kernel.usage(of: $0, run: run) }) {
            return report(usage, since: earlier, of: server)
        }
        guard let usage = await ask(for: server) else { return nil }
        return report(usage, since: earlier, of: server)
    }

    /// Returns the usage from a document of the engine, which contains two readings.
    ///
    /// Nil in the same cases as ``now(_:)``.
    func report(_ document: UsageDocument, of server: ServerRecord) -> MetricsReport? {
        guard server.isRunning, let usage = document.now else { return nil }
        return report(usage, since: document.earlier, of: server)
    }
}

extension ServerRecord {
    /// Identifies the run that usage counters belong to; nil before the first run.
    var runName: String? {
        guard let container, let started = run.started else { return nil }
        return "\(container.id) \(started.timeIntervalSinceReferenceDate)"
    }
}

extension Container {
    /// The container in the form that the kernel's sampler needs; nil if the container's first process is not known.
    var sampled: CgroupSampler.Container? {
        guard let process = state.processID, process > 0 else { return nil }
        return CgroupSampler.Container(id: id, process: process, hasOwnNetwork: hasOwnNetwork)
    }
}
