import NIOCore
import OrcContract
import OrcCore

/// The reports that are retained at one moment, piece by piece, as frames of the event stream: `reset`, then every report.
///
/// The last word alone has a number: whoever is cut off in the middle begins anew.
struct ReportSnapshot {
    /// Bytes after which a piece is handed out.
    private static let pieceBytes = 64 << 10

    /// The number with which the stream goes on.
    let next: Int
    private let replayBuffer: EventReplayBuffer
    private let isWanted: (EventReplayBuffer.Subject) -> Bool
    /// Those that are still to come, the next one last.
    private var hosts: [(host: HostName, reports: [String: ReportCache.Report])]
    /// Of the host whose turn it is, likewise.
    private var reports: [(path: String, report: ReportCache.Report)] = []
    private var host: HostName?
    /// The word that goes out next, held until it is known whether it is the last; nil where all is told.
    private var held: (event: String, data: JSON)? = ("reset", [:])

    init(
        of hosts: [HostName: [String: ReportCache.Report]], next: Int, replayBuffer: EventReplayBuffer,
        where isWanted: @escaping (EventReplayBuffer.Subject) -> Bool
    ) {
        self.next = next
        self.replayBuffer = replayBuffer
        self.isWanted = isWanted
        self.hosts = hosts.map { ($0.key, $0.value) }.sorted { "\($0.host)" > "\($1.host)" }
    }

    /// Nil where all is told.
    mutating func piece() -> ByteBuffer? {
        guard held != nil else { return nil }
        var piece = ByteBuffer()
        while piece.readableBytes < Self.pieceBytes, let word = held {
            held = takeReport().map { ("report", $0) }
            let number = held == nil && next > 0 ? next - 1 : nil
            piece.writeImmutableBuffer(replayBuffer.frame(event: word.event, word.data, number: number))
        }
        return piece
    }

    private mutating func takeReport() -> JSON? {
        while true {
            if let host, let (path, report) = reports.popLast() {
                return ReportCache.telling(host, path, report.json)
            }
            guard let (host, all) = hosts.popLast() else { return nil }
            self.host = host
            reports = all.map { ($0.key, $0.value) }.filter {
                isWanted(EventReplayBuffer.Subject(host: host, path: $0.path, kind: "report"))
            }.sorted { $0.path > $1.path }
        }
    }
}
