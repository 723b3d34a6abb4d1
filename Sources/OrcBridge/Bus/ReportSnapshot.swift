import NIOCore
import OrcContract
import OrcCore

/// The reports retained at one moment, in pieces, as frames of the event stream: `reset`, then every report.
///
/// Only the last frame has a number, so that a reader whose connection is lost before that frame starts again from the
/// first.
struct ReportSnapshot {
    /// Minimum size of a piece in bytes; only the last piece may be smaller.
    private static let pieceBytes = 64 << 10

    /// Number of the first entry that the stream sends after this snapshot.
    let next: Int
    private let replayBuffer: EventReplayBuffer
    private let isWanted: (EventReplayBuffer.Subject) -> Bool
    /// Hosts whose reports are not yet returned, in reverse order: the next host is the last element.
    private var hosts: [(host: HostName, reports: [String: ReportCache.Report])]
    /// Reports of the current host that are not yet returned, in reverse order.
    private var reports: [(path: String, report: ReportCache.Report)] = []
    private var host: HostName?
    /// The next frame, held back until it is known if it is the last frame; nil if all frames have been returned.
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

    /// Returns the next piece; nil if all frames have been returned.
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
                return ReportCache.data(of: Topics(host: host).status(path: path), host, report.json)
            }
            guard let (host, all) = hosts.popLast() else { return nil }
            self.host = host
            reports = all.map { ($0.key, $0.value) }.filter {
                isWanted(EventReplayBuffer.Subject(host: host, path: $0.path, kind: "report"))
            }.sorted { $0.path > $1.path }
        }
    }
}
