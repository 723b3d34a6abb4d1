import HTTPTypes
import HummingbirdCore
import NIOCore
import OrcContract
import OrcCore

/// One reader of the event stream: `GET /api/v2/events` (HTML standard, 9.2).
struct EventStream: Sendable {
    let cache: ReportCache
    let filter: Filter
    /// Id of the last event that the reader has received from an earlier stream; nil for a new reader.
    let lastID: String?
    let caller: Principal

    /// A reader's selection; an empty set selects all.
    struct Filter: Sendable {
        var hosts: Set<HostName> = []
        var servers: Set<ServerID> = []
        var kinds: Set<String> = []
        /// True if the reader's key is restricted to some servers.
        ///
        /// Entries that belong to no server are withheld from such a reader, except the agents' online states.
        private var isScoped = false

        private static let known = Set(
            ["report", "event"] + Topics.HostReportKind.allCases.map(\.rawValue)
                + Topics.ServerReportKind.allCases.map(\.rawValue))

        /// Throws a ``Problem`` if a selected host or server is unknown.
        ///
        /// Without this check, a mistyped name would result in a stream without entries.
        func check(on cache: ReportCache) throws {
            guard cache.isConfirmed else { return }
            if let host = hosts.first(where: { cache.presence(of: $0) == .unknown }) {
                throw Problem(.notFound, "no host \(host) is on the bus")
            }
            let places = hosts.isEmpty ? cache.hosts : Array(hosts)
            for server in servers where !places.contains(where: { cache.server(server, of: $0) != nil }) {
                throw Problem(.notFound, "there is no server \(server)")
            }
        }

        /// - Throws: ``Problem`` if a name is invalid, or a server is outside the key's scope.
        init(_ query: Query, _ scope: AccessScope) throws {
            for name in query.all("host") {
                guard let host = HostName(name) else { throw Problem(.badRequest, "host: must be a host's name") }
                hosts.insert(host)
            }
            for name in query.all("server") {
                guard let server = ServerID(name) else { throw Problem(.badRequest, "server: must be a server's name") }
                servers.insert(server)
            }
            kinds = Set(query.all("kind"))
            if let unknown = kinds.subtracting(Self.known).min() {
                throw Problem(.badRequest, "kind: \(Suggestion.complaint(about: unknown, of: Self.known.sorted()))")
            }
            isScoped = !scope.isEverything
            guard !scope.servers.isEmpty else { return }
            guard servers.isSubset(of: scope.servers) else {
                throw Problem(.notAllowed, "this key is not for that server")
            }
            if servers.isEmpty { servers = scope.servers }
        }

        func wants(_ subject: EventReplayBuffer.Subject) -> Bool {
            guard !isScoped || subject.server != nil || subject.kinds.contains(Topics.HostReportKind.agent.rawValue)
            else {
                return false
            }
            return (hosts.isEmpty || hosts.contains(subject.host))
                && (servers.isEmpty || subject.server.map { servers.contains($0) } ?? false)
                && (kinds.isEmpty || subject.kinds.contains { kinds.contains($0) })
        }
    }

    var answer: BridgeResponse {
        BridgeResponse(.ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], .stream(self))
    }
}

extension EventStream: AsyncSequence {
    func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    /// Returns all retained reports or the entries since the last id, and then new entries.
    ///
    /// The sequence ends if the reader disconnects or falls behind, its key becomes invalid, or the bridge ends.
    struct Iterator: AsyncIteratorProtocol {
        let stream: EventStream
        private var position = Position.start

        private enum Position {
            case start
            case retained(ReportSnapshot)
            /// The reader receives new entries; the value is the number of the next entry.
            case replayBuffer(Int)
        }

        fileprivate init(stream: EventStream) { self.stream = stream }

        mutating func next() async -> ByteBuffer? {
            while stream.caller.isLetIn() {
                switch position {
                case .start:
                    if let resumed = stream.lastID.flatMap({ stream.cache.replayBuffer.resumption(after: $0) }) {
                        position = .replayBuffer(resumed)
                        return EventReplayBuffer.alive
                    }
                    position = .retained(stream.cache.snapshot(where: stream.filter.wants))
                case .retained(var snapshot):
                    position = .replayBuffer(snapshot.next)
                    if let piece = snapshot.piece() {
                        position = .retained(snapshot)
                        return piece
                    }
                case .replayBuffer(let number):
                    let batch = await stream.cache.replayBuffer.batch(from: number)
                    guard stream.caller.isLetIn() else { return nil }
                    switch batch {
                    case .over: return nil
                    case .quiet: return EventReplayBuffer.alive
                    case .entries(let entries, let following):
                        position = .replayBuffer(following)
                        let wanted = entries.filter { stream.filter.wants($0.subject) }.map(\.frame)
                        if !wanted.isEmpty { return wanted.joined }
                    }
                }
            }
            return nil
        }
    }
}

extension [ByteBuffer] {
    /// All buffers in one; a single buffer is not copied.
    fileprivate var joined: ByteBuffer {
        guard count > 1, var joined = first else { return first ?? ByteBuffer() }
        for buffer in dropFirst() { joined.writeImmutableBuffer(buffer) }
        return joined
    }
}
