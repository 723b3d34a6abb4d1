import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcMetrics
import OrcPlans
import Synchronization

/// Measures what running servers use of the machine: each interval, and each second those that somebody watches.
///
/// What the kernel shows is read from the kernel, which costs the engine nothing; where it does not show (an engine on
/// another machine, an agent in a container of its own) the engine is asked for one reading at a time.
final class ServerMetricsCollector: Sendable {
    private let engine: any ContainerEngine
    private let registry: ServerRegistry
    private let kernel = CgroupSampler()
    private let sizes = FolderSizeCache()
    private let diskLimit: DiskLimitWatcher
    /// Seconds between two readings.
    private let interval: Double
    private let logger: Logger
    private let alarm = AsyncSignal()
    private let state = Mutex(State())

    /// Seconds between two readings of a server that is watched.
    private static let watchInterval = 1.0
    /// Seconds for which a new run is watched by itself.
    private static let firstLook = 3.0
    /// How many servers can be watched at once.
    private static let mostWatched = 64
    private static let leastExpiry = 5.0
    /// How many readings the engine is asked for at once: each is answered at its next tick, within a second.
    private static let mostAsked = 16

    private struct State {
        /// The last reading of each running server.
        var readings: [ServerID: ResourceUsage] = [:]
        /// Until when it is watched, by ``MonotonicClock``.
        var watches: [ServerID: Double] = [:]
        /// Until when a new run is looked at each second, watched or not.
        var looks: [ServerID: Double] = [:]
        /// Servers that the engine is being asked for.
        var asked: Set<ServerID> = []
    }

    init(engine: any ContainerEngine, registry: ServerRegistry, interval: Int, logger: Logger) {
        self.engine = engine
        self.registry = registry
        diskLimit = DiskLimitWatcher(registry: registry)
        self.interval = Double(interval)
        self.logger = logger
    }

    /// Publishes a server's metrics each second for so many seconds from now, or for longer where somebody else has asked
    /// for that; 0 ends it.
    ///
    /// - Returns: false where too many are watched already.
    func watch(_ server: ServerID, seconds: Int) -> Bool {
        let now = MonotonicClock.seconds
        let isNew = state.withLock { state -> Bool? in
            state.watches = state.watches.filter { $0.value > now }
            let until = state.watches[server]
            guard seconds > 0 else {
                state.watches[server] = nil
                return false
            }
            guard until != nil || state.watches.count < Self.mostWatched else { return nil }
            state.watches[server] = max(until ?? 0, now + Double(seconds))
            return until == nil
        }
        if isNew == true { alarm.ring() }
        return isNew != nil
    }

    /// Reads a run that has just begun at once, and soon again, since one reading tells no speed.
    func look(at server: ServerID) {
        let until = MonotonicClock.seconds + Self.firstLook
        state.withLock { $0.looks[server] = until }
        alarm.ring()
    }

    /// The same of all servers.
    func lookAtAll() {
        let until = MonotonicClock.seconds + Self.firstLook
        let all = registry.all.map(\.id)
        state.withLock { state in for server in all { state.looks[server] = until } }
        alarm.ring()
    }

    /// Forgets a server that is removed: one that is made again in its name is another.
    func forget(_ server: ServerID) {
        sizes.forget(server)
        diskLimit.forget(server)
        state.withLock { $0.readings[server] = nil }
    }

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var due = MonotonicClock.seconds
            while !Task.isCancelled {
                let now = MonotonicClock.seconds
                let isDue = now >= due
                // After a time in which the machine slept, one reading makes up for all that were missed.
                if isDue { due = max(due + interval, now + interval / 2) }
                let quick = takeQuick(now)
                let servers = registry.all.filter { server in
                    server.isRunning && (isDue || quick.contains(server.id)) && !isFresh(server, now)
                }
                let hidden = takeToAsk(servers.filter { !measure($0) })
                if !hidden.isEmpty { group.addTask { await self.ask(for: hidden, first: quick) } }
                if isDue { forgetEnded() }
                let next = quick.isEmpty ? due : min(due, now + Self.watchInterval)
                await alarm.wait(.seconds(max(next - MonotonicClock.seconds, 0.01)))
            }
        }
    }

    /// The servers that are read each second now.
    private func takeQuick(_ now: Double) -> Set<ServerID> {
        state.withLock { state in
            state.watches = state.watches.filter { $0.value > now }
            state.looks = state.looks.filter { $0.value > now }
            return Set(state.watches.keys).union(state.looks.keys)
        }
    }

    /// Whether this run was read so lately that speeds would be noise.
    private func isFresh(_ server: ServerRecord, _ now: Double) -> Bool {
        guard let last = state.withLock({ $0.readings[server.id] }), last.run == server.runName else { return false }
        return now - last.readAt < Self.watchInterval * 0.8
    }

    private func forgetEnded() {
        let running = Set(registry.all.filter(\.isRunning).map(\.id))
        state.withLock { state in state.readings = state.readings.filter { running.contains($0.key) } }
        registry.dropStaleMetrics(olderThan: expiry)
    }

    /// Seconds after which a reading says nothing any more.
    ///
    /// With a short interval the engine, which answers at its own pace, is given some more.
    private var expiry: Double { max(interval * 3, Self.leastExpiry) }

    // The kernel's way.

    /// Reads and publishes; false where the kernel does not show it.
    private func measure(_ server: ServerRecord) -> Bool {
        // It has just come up, and the look that tells of its processes is under way.
        guard server.container?.state.processID != nil else { return true }
        guard let container = server.container, let run = server.runName,
            let usage = container.sampled.flatMap({ kernel.usage(of: $0, run: run) })
        else { return false }
        publish(usage, of: server)
        return true
    }

    // The engine's way.

    /// Those of `servers` that it is not being asked for already.
    private func takeToAsk(_ servers: [ServerRecord]) -> [ServerRecord] {
        state.withLock { state in servers.filter { state.asked.insert($0.id).inserted } }
    }

    private func ask(for servers: [ServerRecord], first: Set<ServerID>) async {
        let ordered = servers.filter { first.contains($0.id) } + servers.filter { !first.contains($0.id) }
        await withTaskGroup(of: Void.self) { group in
            for (index, server) in ordered.enumerated() {
                if index >= Self.mostAsked { await group.next() }
                group.addTask {
                    if let usage = await self.ask(for: server) { self.publish(usage, of: server) }
                    _ = self.state.withLock { $0.asked.remove(server.id) }
                }
            }
        }
    }

    /// Nil where it does not tell: what was read last then grows stale, and is taken back in time.
    private func ask(for server: ServerRecord) async -> ResourceUsage? {
        guard let container = server.container, let run = server.runName else { return nil }
        do {
            return try await engine.usage(of: container.id, run: run)
        } catch {
            logger.debug("no metrics of a server", metadata: ["server.id": "\(server.id)", "error": "\(error)"])
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

    // What is asked for in between.

    /// What a server uses now; nil where it does not run, or nobody can tell.
    func now(_ server: ServerRecord) async -> MetricsReport? {
        guard server.isRunning, let container = server.container, let run = server.runName else { return nil }
        let earlier = state.withLock { $0.readings[server.id] }.flatMap { $0.run == run ? $0 : nil }
        // Within a second of the last reading speeds would be noise: those of that reading are as good.
        if isFresh(server, MonotonicClock.seconds), let last = registry.metrics(of: server.id), last.usage == earlier {
            return last
        }
        if let usage = container.sampled.flatMap({ kernel.usage(of: $0, run: run) }) {
            return report(usage, since: earlier, of: server)
        }
        guard let usage = await ask(for: server) else { return nil }
        return report(usage, since: earlier, of: server)
    }

    /// The same of a document of the engine's that holds two readings.
    func report(_ document: UsageDocument, of server: ServerRecord) -> MetricsReport? {
        guard server.isRunning, let usage = document.now else { return nil }
        return report(usage, since: document.earlier, of: server)
    }
}

extension ServerRecord {
    /// What tells the counters of this run from those of another.
    var runName: String? {
        guard let container, let started = run.started else { return nil }
        return "\(container.id) \(started.timeIntervalSinceReferenceDate)"
    }
}

extension Container {
    /// Nil where no process of it is known.
    var sampled: CgroupSampler.Container? {
        guard let process = state.processID, process > 0 else { return nil }
        return CgroupSampler.Container(id: id, process: process, hasOwnNetwork: hasOwnNetwork)
    }
}
