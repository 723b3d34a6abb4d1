import NIOCore
import Peon
import Synchronization

/// The last report of every retained topic, as the bus tells it.
///
/// Bounded, since whoever may publish could fill it: what is over is left out and counted.
final class Board: Sendable {
    private static let maxHosts = 256
    private static let maxReports = 16_384
    private static let maxReportBytes = 1 << 20

    struct Report: Sendable {
        let json: JSON
        let bytes: ByteBuffer
        /// A strong ETag: the same bytes have the same on every bridge (FNV-1a, 64 bits).
        let tag: String
    }

    struct Server: Sendable {
        let id: ServerID
        let state: JSON
        /// Whether the agent can ask the engine about it now.
        let isAvailable: Bool

        /// Whether its container runs, frozen or not.
        var isUp: Bool { ["running", "paused"].contains(state["container_state"]?.string ?? "") }
    }

    enum Presence: Sendable, Equatable {
        case online
        case offline(reason: String?)
        /// Nothing has been heard of such a host.
        case unknown
    }

    let feed: Feed
    /// Bytes of all reports together.
    private let maxBytes: Int
    private let state = Mutex(State())

    private struct State {
        var hosts: [HostName: [String: Report]] = [:]
        /// Of each host, counts the changes to what is listed of its servers.
        var versions: [HostName: Int] = [:]
        var count = 0
        var bytes = 0
        var leftOut = 0
        var isLinked = false
        /// Counts the links.
        var link = 0
        /// Reports of the connection before that the broker has not repeated since.
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

    private struct Name: Hashable {
        let host: HostName
        let path: String
    }

    init(feed: Feed, maxBytes: Int = 64 << 20) {
        self.feed = feed
        self.maxBytes = maxBytes
    }

    // What comes in.

    /// Takes a retained report; an empty one is gone.
    func take(_ host: HostName, path: String, payload: [UInt8]) {
        let report = payload.isEmpty ? nil : Self.report(payload)
        state.withLock { state in
            state.lastHeard = .now
            state.unconfirmed.remove(Name(host: host, path: path))
            let old = state.hosts[host]?[path]
            guard let report else {
                // What cannot be read replaces what could: that is true no more.
                if old != nil { remove(host, path, in: &state) }
                if !payload.isEmpty { state.leftOut += 1 }
                return
            }
            guard old?.tag != report.tag || old?.bytes != report.bytes else { return }
            let growth = report.bytes.readableBytes - (old?.bytes.readableBytes ?? 0)
            guard state.hasRoom(for: report, in: host, inPlaceOf: old), state.bytes + growth <= maxBytes else {
                state.leftOut += 1
                if old != nil { remove(host, path, in: &state) }
                return
            }
            state.count += old == nil ? 1 : 0
            state.bytes += growth
            state.hosts[host, default: [:]][path] = report
            state.count(change: host, path)
            tell(host, path, report.json)
            if path == Topics.HostReport.agent.rawValue,
                report.json["state"]?.string != AgentReport.Presence.online.rawValue
            {
                dropFigures(of: host, in: &state)
            }
        }
    }

    private static func report(_ payload: [UInt8]) -> Report? {
        // What is no JSON is nobody's report.
        guard payload.count <= maxReportBytes, let json = try? JSON.parse(payload), json.object != nil else {
            return nil
        }
        let bytes = json.bytes
        return Report(json: json, bytes: ByteBuffer(bytes: bytes), tag: "\"\(String(bytes.fnv1a, radix: 16))\"")
    }

    private func remove(_ host: HostName, _ path: String, in state: inout State) {
        guard let old = state.hosts[host]?.removeValue(forKey: path) else { return }
        state.count -= 1
        state.bytes -= old.bytes.readableBytes
        state.count(change: host, path)
        if state.hosts[host]?.isEmpty == true { state.hosts[host] = nil }
        tell(host, path, .null)
    }

    /// Of a host whose agent is away, what it used a while ago says nothing; the broker lets it expire without a word.
    private func dropFigures(of host: HostName, in state: inout State) {
        for path in (state.hosts[host] ?? [:]).keys where Topics.isFigure(path) { remove(host, path, in: &state) }
    }

    private func tell(_ host: HostName, _ path: String, _ json: JSON) {
        var subject = Feed.Subject(host: host, path: path, kind: "report")
        if case .null = json { subject.isFigure = false }  // nothing newer follows
        feed.append(subject, event: "report", Self.telling(host, path, json))
    }

    private static func telling(_ host: HostName, _ path: String, _ json: JSON) -> JSON {
        ["topic": .string(Topics(host: host).status(path: path)), "host": .string("\(host)"), "payload": json]
    }

    // The link.

    /// The link stands: what is known has to be repeated by the broker, and what happened meanwhile has been missed.
    ///
    /// - Returns: the link's number.
    @discardableResult
    func linked() -> Int {
        feed.breakOff()
        return state.withLock { state in
            state.isLinked = true
            state.link += 1
            state.isConfirmed = false
            state.lastHeard = .now
            state.unconfirmed = Set(
                state.hosts.flatMap { host, reports in reports.keys.map { Name(host: host, path: $0) } })
            return state.link
        }
    }

    /// Whether the link of this number still stands.
    func stands(_ link: Int) -> Bool { state.withLock { $0.isLinked && $0.link == link } }

    /// Whether the broker has told this report on the link that stands.
    func isFresh(_ host: HostName, _ path: String) -> Bool {
        state.withLock { $0.hosts[host]?[path] != nil && !$0.unconfirmed.contains(Name(host: host, path: path)) }
    }

    func unlinked() { state.withLock { $0.isLinked = false } }

    /// How long no report has come in.
    var silence: Duration { state.withLock { .now - $0.lastHeard } }

    /// The broker has told all that it retains: what it did not repeat is gone.
    ///
    /// Of a host whose agent it has not heard of either, a broker that has lost its store may hear again: it is only offline.
    ///
    /// `link`: the number of the link on which that was found out.
    func confirm(_ link: Int) {
        state.withLock { state in
            guard state.isLinked, state.link == link else { return }
            let silent = Set(state.unconfirmed.filter { $0.path == Topics.HostReport.agent.rawValue }.map(\.host))
            for name in state.unconfirmed where !silent.contains(name.host) {
                remove(name.host, name.path, in: &state)
                state.unconfirmed.remove(name)
            }
            state.isConfirmed = true
        }
    }

    /// Whether there is a link to the broker.
    var isLinked: Bool { state.withLock { $0.isLinked } }
    /// Whether all that the broker retains has been heard.
    var isConfirmed: Bool { state.withLock { $0.isLinked && $0.isConfirmed } }

    // What is known.

    func report(_ host: HostName, _ path: String) -> Report? { state.withLock { $0.hosts[host]?[path] } }

    func report(_ host: HostName, _ report: Topics.HostReport) -> Report? { self.report(host, report.rawValue) }

    func version(of host: HostName) -> Int { state.withLock { $0.versions[host] ?? 0 } }

    func presence(of host: HostName) -> Presence {
        guard let report = report(host, .agent)?.json else { return .unknown }
        let name = Name(host: host, path: Topics.HostReport.agent.rawValue)
        if state.withLock({ $0.isConfirmed && $0.unconfirmed.contains(name) }) { return .offline(reason: "lost") }
        return report["state"]?.string == AgentReport.Presence.online.rawValue
            ? .online : .offline(reason: report["reason"]?.string)
    }

    /// Which run and connection of a host's agent is on the bus; nil where none is.
    func session(of host: HostName) -> JSON? {
        guard presence(of: host) == .online, let report = report(host, .agent)?.json else { return nil }
        return [report["instance"] ?? .null, report["session"] ?? .null]
    }

    func server(_ server: ServerID, of host: HostName) -> Server? {
        state.withLock { state in state.hosts[host].flatMap { Self.server(server, in: $0) } }
    }

    /// Every server of a host that has a state, by game and camp.
    func servers(of host: HostName) -> [Server] {
        state.withLock { state in
            let reports = state.hosts[host] ?? [:]
            return reports.keys.compactMap { ServerID(statePath: $0) }.sorted()
                .compactMap { Self.server($0, in: reports) }
        }
    }

    private static func server(_ server: ServerID, in reports: [String: Report]) -> Server? {
        guard let state = reports["server/\(server.sid)/\(Topics.ServerReport.state.rawValue)"]?.json else {
            return nil
        }
        let availability = reports["server/\(server.sid)/\(Topics.ServerReport.availability.rawValue)"]?.json
        return Server(id: server, state: state, isAvailable: availability?["state"]?.string != "offline")
    }

    /// What a running server uses, as it was said last; its agent takes it back when it is true no more.
    func metrics(of server: ServerID, on host: HostName) -> JSON? {
        report(host, "server/\(server.sid)/\(Topics.ServerReport.metrics.rawValue)")?.json
    }

    var hosts: [HostName] { state.withLock { $0.hosts.keys.sorted { "\($0)" < "\($1)" } } }

    struct Size: Sendable {
        let reports: Int
        let bytes: Int
        let leftOut: Int
    }

    var size: Size { state.withLock { Size(reports: $0.count, bytes: $0.bytes, leftOut: $0.leftOut) } }

    /// Every report that `isWanted`, as frames of the event stream, and the number with which the stream goes on.
    ///
    /// The frames have no number of their own: whoever is cut off in the middle begins anew.
    func snapshot(where isWanted: (Feed.Subject) -> Bool) -> (frames: [ByteBuffer], next: Int) {
        let (hosts, next) = state.withLock { ($0.hosts, feed.next) }
        var frames: [ByteBuffer] = []
        for (host, reports) in hosts.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            for (path, report) in reports.sorted(by: { $0.key < $1.key })
            where isWanted(Feed.Subject(host: host, path: path, kind: "report")) {
                frames.append(feed.frame(event: "report", Self.telling(host, path, report.json), number: nil))
            }
        }
        return (frames, next)
    }

    /// Something that happened, and is not retained.
    func happened(_ host: HostName, path: String, payload: [UInt8]) {
        guard payload.count <= Self.maxReportBytes, let json = try? JSON.parse(payload), json.object != nil else {
            return  // nobody's event
        }
        let data: JSON = [
            "topic": .string(Topics(host: host).event(path: path)), "host": .string("\(host)"), "payload": json,
        ]
        state.withLock { _ in
            feed.append(Feed.Subject(host: host, path: path, kind: "event"), event: "event", data)
        }
    }
}
