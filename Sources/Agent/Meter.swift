import Docker
import FoundationEssentials
import Logging
import Peon
import Plans
import Synchronization

/// Measures what running servers use of the machine: each interval, and each second those that somebody watches.
///
/// What the kernel shows is read from the kernel, which costs the engine nothing; where it does not show (an engine on
/// another machine, an agent in a container of its own) the engine is asked for one reading at a time.
final class Meter: Sendable {
    private let engine: Engine
    private let fleet: Fleet
    private let kernel = KernelMeter()
    private let sizes = FolderSizes()
    /// Seconds between two readings.
    private let interval: Double
    private let logger: Logger
    private let alarm = Alarm()
    private let state = Mutex(State())

    /// Seconds between two readings of a server that is watched.
    private static let watchInterval = 1.0
    /// Seconds for which a new run is watched by itself.
    private static let firstLook = 3
    /// How many servers can be watched at once.
    private static let mostWatched = 64
    /// How many readings the engine is asked for at once: each is answered at its next tick, within a second.
    private static let mostAsked = 16

    private struct State {
        /// The last reading of each running server.
        var readings: [ServerID: Usage] = [:]
        /// Until when it is watched, by ``Monotonic``.
        var watches: [ServerID: Double] = [:]
        /// Until when all are read each second.
        var allUntil = 0.0
        var isAskingEngine = false
    }

    init(engine: Engine, fleet: Fleet, interval: Int, logger: Logger) {
        self.engine = engine
        self.fleet = fleet
        self.interval = Double(interval)
        self.logger = logger
    }

    /// Publishes a server's metrics each second for so many seconds from now; 0 ends it.
    ///
    /// - Returns: false where too many are watched already.
    func watch(_ server: ServerID, seconds: Int) -> Bool {
        let now = Monotonic.seconds
        let isTaken = state.withLock { state in
            state.watches = state.watches.filter { $0.value > now }
            guard seconds > 0 else {
                state.watches[server] = nil
                return true
            }
            guard state.watches[server] != nil || state.watches.count < Self.mostWatched else { return false }
            state.watches[server] = now + Double(seconds)
            return true
        }
        if seconds > 0 { alarm.ring() }
        return isTaken
    }

    /// Reads a run that has just begun at once, and soon again, since one reading tells no speed.
    func look(at server: ServerID) { _ = watch(server, seconds: Self.firstLook) }

    /// The same of all servers.
    func lookAtAll() {
        state.withLock { $0.allUntil = Monotonic.seconds + Double(Self.firstLook) }
        alarm.ring()
    }

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var due = Monotonic.seconds
            while !Task.isCancelled {
                let now = Monotonic.seconds
                let isDue = now >= due
                // After a time in which the machine slept, one reading makes up for all that were missed.
                if isDue { due = max(due + interval, now + interval / 2) }
                let (watched, areAll) = takeWatched(now)
                let servers = fleet.all.filter { isDue || areAll || watched.contains($0.id) }
                let hidden = servers.filter { $0.isRunning && !measure($0) }
                if !hidden.isEmpty, beginAsking() { group.addTask { await self.ask(for: hidden, first: watched) } }
                if isDue { forgetGone() }
                let next = watched.isEmpty && !areAll ? due : min(due, now + Self.watchInterval)
                await alarm.wait(.seconds(max(next - Monotonic.seconds, 0.01)))
            }
        }
    }

    private func takeWatched(_ now: Double) -> (servers: Set<ServerID>, areAll: Bool) {
        state.withLock { state in
            state.watches = state.watches.filter { $0.value > now }
            return (Set(state.watches.keys), state.allUntil > now)
        }
    }

    private func forgetGone() {
        let running = Set(fleet.all.filter(\.isRunning).map(\.id))
        state.withLock { state in state.readings = state.readings.filter { running.contains($0.key) } }
        sizes.keep { fleet[$0] != nil }
        fleet.dropStaleMetrics(olderThan: expiry)
    }

    /// Seconds after which a reading says nothing any more.
    private var expiry: Double { max(interval, 1) * 3 }

    // The kernel's way.

    /// Reads and publishes; false where the kernel does not show it.
    private func measure(_ server: Server) -> Bool {
        // It has just come up, and the look that tells of its processes is under way.
        guard server.container?.state.processID != nil else { return true }
        guard let container = server.container, let run = server.runName,
            let usage = kernel.usage(of: container, run: run)
        else { return false }
        publish(usage, of: server)
        return true
    }

    // The engine's way.

    private func beginAsking() -> Bool {
        state.withLock { state in
            defer { state.isAskingEngine = true }
            return !state.isAskingEngine
        }
    }

    private func ask(for servers: [Server], first: Set<ServerID>) async {
        let ordered = servers.filter { first.contains($0.id) } + servers.filter { !first.contains($0.id) }
        await withTaskGroup(of: Void.self) { group in
            for (index, server) in ordered.enumerated() {
                if index >= Self.mostAsked { await group.next() }
                group.addTask { await self.ask(for: server) }
            }
        }
        state.withLock { $0.isAskingEngine = false }
    }

    private func ask(for server: Server) async {
        guard let container = server.container, let run = server.runName else { return }
        do {
            let stats = try await engine.stats(of: container.id)
            guard let usage = Usage(stats, run: run, readAt: Monotonic.seconds) else { return }
            publish(usage, of: server)
        } catch {
            // A gap: what was read last grows stale, and is taken back in time.
            logger.debug("no metrics of a server", metadata: ["server.id": "\(server.id)", "error": "\(error)"])
        }
    }

    private func publish(_ usage: Usage, of server: Server) {
        let earlier = state.withLock { state in
            defer { state.readings[server.id] = usage }
            return state.readings[server.id]
        }
        fleet.publish(report(usage, since: earlier, of: server), of: server, expiry: UInt32(expiry))
    }

    private func report(_ usage: Usage, since earlier: Usage?, of server: Server) -> MetricsReport {
        var report = MetricsReport(usage, since: earlier, at: Date())
        report.folderBytes = sizes.bytes(of: server.id, folder: server.folder.path)
        return report
    }

    // What is asked for in between.

    /// What a server uses now; nil where it does not run, or nobody can tell.
    ///
    /// Where it is known to be in the engine's hands alone, what was read last.
    func now(_ server: Server) -> MetricsReport? {
        guard server.isRunning, let container = server.container, let run = server.runName else { return nil }
        let earlier = state.withLock { $0.readings[server.id] }.flatMap { $0.run == run ? $0 : nil }
        guard let usage = kernel.usage(of: container, run: run) else {
            return fleet.metrics(of: server.id)
        }
        // Within a second of the last reading speeds would be noise: those of that reading are as good.
        if let earlier, usage.readAt - earlier.readAt < Self.watchInterval, let last = fleet.metrics(of: server.id) {
            return last
        }
        return report(usage, since: earlier, of: server)
    }

    /// The same of a document of the engine's that holds two readings.
    func report(_ stats: ContainerStats, of server: Server) -> MetricsReport? {
        guard server.isRunning, let run = server.runName else { return nil }
        let readAt = Monotonic.seconds
        guard let usage = Usage(stats, run: run, readAt: readAt) else { return nil }
        return report(usage, since: Usage.earlier(in: stats, run: run, readAt: readAt), of: server)
    }
}

extension Server {
    /// What tells the counters of this run from those of another.
    fileprivate var runName: String? {
        guard let container, let run else { return nil }
        return "\(container.id) \(run.timeIntervalSinceReferenceDate)"
    }
}
