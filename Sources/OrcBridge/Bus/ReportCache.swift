import FoundationEssentials
import NIOCore
import OrcContract
import OrcCore
import Synchronization

/// The last report of every retained topic, as received from the broker.
///
/// The size is bounded, since any client that may publish could fill the cache. Reports beyond the bounds are left out
/// and counted.
final class ReportCache: Sendable {
    private static let maxHosts = 4096
    private static let maxReports = 262_144
    private static let maxReportBytes = 1 << 20
    /// Seconds without a heartbeat after which an agent counts as offline.
    private static let longestSilence = TimeInterval(Limits.silence)

    /// A retained report, stored as JSON text and parsed on use: a parsed report takes many times as much memory.
    struct Report: Sendable, Equatable {
        let text: [UInt8]

        var bytes: ByteBuffer { ByteBuffer(bytes: text) }
        var json: JSON { (try? JSON.parse(text)) ?? .null }  // valid, as it was parsed when it arrived
        /// Strong ETag of the report (FNV-1a, 64 bits): equal bytes have equal tags on every bridge.
        var tag: String { "\"\(String(text.fnv1a, radix: 16))\"" }
    }

    /// The last report of a host's agent about itself.
    struct Agent {
        let report: AgentReport
        /// Time of the agent's last report; earlier than its arrival if the broker had stored the report for a while.
        var heard: ContinuousClock.Instant

        var isOnline: Bool { report.state == .online }
        var session: Session { Session(instance: report.instance, number: report.session) }
    }

    /// One run of an agent (`instance`) and one of its connections to the broker (`number`).
    struct Session: Sendable, Equatable {
        let instance: String
        let number: Int
    }

    struct Server: Sendable {
        let id: ServerID
        let state: StateReport
        /// True if the agent can currently query the container engine about this server.
        let isAvailable: Bool
    }

    enum Presence: Sendable, Equatable {
        case online
        case offline(reason: String?)
        /// No agent of such a host has reported.
        case unknown
    }

    let replayBuffer: EventReplayBuffer
    /// Maximum size in bytes of all reports together.
    private let maxBytes: Int
    let state = Mutex(State())

    struct State {
        var hosts: [HostName: [String: Report]] = [:]
        var agents: [HostName: Agent] = [:]
        /// The sids in the last server list of each host's agent.
        var indexes: [HostName: Set<String>] = [:]
        /// Number of changes to each host's reports, except metrics.
        var versions: [HostName: Int] = [:]
        var count = 0
        var bytes = 0
        var leftOut = 0
        var isLinked = false
        /// Number of the latest connection to the broker; increases with each connection.
        var link = 0
        /// Reports from earlier connections that the broker has not sent again on the current connection.
        var unconfirmed: Set<Name> = []
        var isConfirmed = false
        var lastHeard = ContinuousClock.now

        mutating func count(change host: HostName, _ path: String) {
            if !Topics.isFigure(path) { versions[host, default: 0] += 1 }
        }

        func hasRoom(for report: Report, in host: HostName, inPlaceOf old: Report?) -> Bool {
            (old != nil || count < maxReports) && (hosts[host] != nil || hosts.count < maxHosts)
        }
    }

    struct Name: Hashable {
        let host: HostName
        let path: String
    }

    init(replayBuffer: EventReplayBuffer, maxBytes: Int = 96 << 20) {
        self.replayBuffer = replayBuffer
        self.maxBytes = maxBytes
    }

    // Incoming messages.

    /// Stores a retained report; removes the stored report if the payload is empty or invalid.
    func take(_ host: HostName, path: String, payload: [UInt8]) {
        let json = payload.isEmpty ? nil : Self.read(payload)
        let report = json.map { Report(text: $0.bytes) }
        state.withLock { state in
            state.lastHeard = .now
            let isRepeated = state.unconfirmed.remove(Name(host: host, path: path)) != nil
            if let json { note(json, host, path, isRepeated: isRepeated, in: &state) }
            let old = state.hosts[host]?[path]
            guard let report else {
                // An invalid report also replaces a valid one, which is no longer current.
                if old != nil { remove(host, path, in: &state) }
                if !payload.isEmpty { state.leftOut += 1 }
                return
            }
            guard old != report else { return }
            let growth = report.text.count - (old?.text.count ?? 0)
            guard state.hasRoom(for: report, in: host, inPlaceOf: old), state.bytes + growth <= maxBytes else {
                state.leftOut += 1
                if old != nil { remove(host, path, in: &state) }
                return
            }
            state.count += old == nil ? 1 : 0
            state.bytes += growth
            state.hosts[host, default: [:]][path] = report
            state.count(change: host, path)
            tell(host, path, json ?? .null)
            if path == Topics.HostReportKind.agent.rawValue, state.agents[host]?.isOnline == false {
                dropFigures(of: host, in: &state)
            }
        }
    }

    /// Returns the JSON object in a payload; nil if the payload is too large or is not a JSON object.
    private static func read(_ payload: [UInt8]) -> JSON? {
        guard payload.count <= maxReportBytes, let json = try? JSON.parse(payload), json.object != nil else {
            return nil
        }
        return json
    }

    /// Updates the host's agent or its server list if the report contains one of these.
    ///
    /// `isRepeated`: true if the report was already known from an earlier connection to the broker.
    private func note(_ json: JSON, _ host: HostName, _ path: String, isRepeated: Bool, in state: inout State) {
        switch path {
        case Topics.HostReportKind.agent.rawValue:
            guard state.hosts[host] != nil || state.hosts.count < Self.maxHosts else { return }
            // A retained report may be old. Its age is not exact, as the clocks of two hosts may differ; the next
            // heartbeat corrects it.
            guard let report = AgentReport(json) else { return }
            let age = -report.at.timeIntervalSinceNow
            let isOld = (isRepeated || state.agents[host] == nil) && age > Self.longestSilence
            state.agents[host] = Agent(report: report, heard: .now - .seconds(isOld ? min(age, 1e9) : 0))
        case Topics.HostReportKind.servers.rawValue:
            guard state.hosts[host] != nil || state.hosts.count < Self.maxHosts else { return }
            state.indexes[host] = Set((ServersReport(json)?.servers ?? []).map(\.sid))
        default: break
        }
    }

    func remove(_ host: HostName, _ path: String, in state: inout State) {
        guard let old = state.hosts[host]?.removeValue(forKey: path) else { return }
        state.count -= 1
        state.bytes -= old.text.count
        if path == Topics.HostReportKind.agent.rawValue { state.agents[host] = nil }
        if path == Topics.HostReportKind.servers.rawValue { state.indexes[host] = nil }
        state.count(change: host, path)
        if state.hosts[host]?.isEmpty == true { state.hosts[host] = nil }
        tell(host, path, .null)
    }

    /// Removes the metrics of a host whose agent is offline, since they are out of date.
    ///
    /// When retained metrics expire, the broker deletes them without notifying its clients.
    private func dropFigures(of host: HostName, in state: inout State) {
        for path in (state.hosts[host] ?? [:]).keys where Topics.isFigure(path) { remove(host, path, in: &state) }
    }

    private func tell(_ host: HostName, _ path: String, _ json: JSON) {
        var subject = EventReplayBuffer.Subject(host: host, path: path, kind: "report")
        if case .null = json { subject.isFigure = false }  // no newer metrics follow
        replayBuffer.append(subject, event: "report", Self.data(of: Topics(host: host).status(path: path), host, json))
    }

    /// Returns the data of an event-stream entry: a message's topic, host and payload.
    static func data(of topic: String, _ host: HostName, _ payload: JSON) -> JSON {
        ["topic": .string(topic), "host": .string("\(host)"), "payload": payload]
    }

    // Queries.

    func report(_ host: HostName, _ path: String) -> Report? { state.withLock { $0.hosts[host]?[path] } }

    func report(_ host: HostName, _ report: Topics.HostReportKind) -> Report? { self.report(host, report.rawValue) }

    func version(of host: HostName) -> Int { state.withLock { $0.versions[host] ?? 0 } }

    func presence(of host: HostName) -> Presence {
        let name = Name(host: host, path: Topics.HostReportKind.agent.rawValue)
        return state.withLock { state in
            guard let agent = state.agents[host] else { return .unknown }
            if state.isConfirmed, state.unconfirmed.contains(name) { return .offline(reason: "lost") }
            guard agent.isOnline else { return .offline(reason: agent.report.reason?.rawValue) }
            // On a broker that was restarted, or behind a bridge of brokers, its last will may never come.
            let isSilent = .now - agent.heard > .seconds(Self.longestSilence)
            return isSilent ? .offline(reason: "silent") : .online
        }
    }

    /// Returns the current run and connection of a host's agent; nil if the agent is not online.
    func session(of host: HostName) -> Session? {
        guard presence(of: host) == .online else { return nil }
        return state.withLock { $0.agents[host]?.session }
    }

    func server(_ server: ServerID, of host: HostName) -> Server? {
        state.withLock { state in
            guard state.indexes[host]?.contains(server.sid) != false else { return nil }
            return state.hosts[host].flatMap { Self.server(server, in: $0) }
        }
    }

    /// Returns every server of a host that has a state report, sorted by game and name.
    ///
    /// If the agent has published its server list, servers outside the list are left out: the reports of a server that
    /// the agent has forgotten may be retained forever.
    func servers(of host: HostName) -> [Server] {
        state.withLock { state in
            let reports = state.hosts[host] ?? [:]
            let index = state.indexes[host]
            return reports.keys.compactMap { ServerID(statePath: $0) }.filter { index?.contains($0.sid) != false }
                .sorted()
                .compactMap { Self.server($0, in: reports) }
        }
    }

    private static func server(_ server: ServerID, in reports: [String: Report]) -> Server? {
        func json(_ kind: Topics.ServerReportKind) -> JSON? { reports["server/\(server.sid)/\(kind.rawValue)"]?.json }
        guard let state = json(.state).flatMap({ StateReport($0, of: server) }) else { return nil }
        let availability = json(.availability).flatMap(AvailabilityReport.init)
        return Server(id: server, state: state, isAvailable: availability?.state != .offline)
    }

    /// Returns the last metrics of a server; nil if there are none, since agents clear metrics that no longer apply.
    func metrics(of server: ServerID, on host: HostName) -> MetricsReport? {
        report(host, "server/\(server.sid)/\(Topics.ServerReportKind.metrics.rawValue)").flatMap {
            MetricsReport($0.json)
        }
    }

    func info(_ host: HostName) -> InfoReport? { report(host, .info).flatMap { InfoReport($0.json) } }
    func health(_ host: HostName) -> HealthReport? { report(host, .health).flatMap { HealthReport($0.json) } }
    func hostReport(_ host: HostName) -> HostReport? { report(host, .host).flatMap { HostReport($0.json) } }
    func plans(_ host: HostName) -> [PlansReport.Entry] {
        report(host, .plans).flatMap { PlansReport($0.json) }?.plans ?? []
    }

    var hosts: [HostName] { state.withLock { $0.hosts.keys.sorted { "\($0)" < "\($1)" } } }

    struct Size: Sendable {
        let reports: Int
        let bytes: Int
        let leftOut: Int
    }

    var size: Size { state.withLock { Size(reports: $0.count, bytes: $0.bytes, leftOut: $0.leftOut) } }

    /// Returns a snapshot of all current reports for which `isWanted` returns true.
    func snapshot(where isWanted: @escaping (EventReplayBuffer.Subject) -> Bool) -> ReportSnapshot {
        let (hosts, next) = state.withLock { ($0.hosts, replayBuffer.next) }
        return ReportSnapshot(of: hosts, next: next, replayBuffer: replayBuffer, where: isWanted)
    }

    /// Adds an event, which is not retained, to the event stream; ignores a payload that is not a JSON object.
    func happened(_ host: HostName, path: String, payload: [UInt8]) {
        guard let json = Self.read(payload) else { return }
        let data = Self.data(of: Topics(host: host).event(path: path), host, json)
        state.withLock { _ in
            replayBuffer.append(EventReplayBuffer.Subject(host: host, path: path, kind: "event"), event: "event", data)
        }
    }
}
