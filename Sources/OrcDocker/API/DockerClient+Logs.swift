package import FoundationEssentials
import NIOCore
import NIOHTTP1
import OrcCore

extension DockerClient {
    /// Returns the last `count` lines of a container's log, oldest first, but at most the last 1 MiB.
    ///
    /// `since`: time from which lines are returned; nil for all.
    ///
    /// `deadline`: maximum seconds for the call.
    package func lastLines(
        of container: String, count: Int, since: Date? = nil, deadline: Int = 10
    ) async throws -> [String] {
        var request = Self.logRequest(container, tail: String(count + Self.spareParts), since: since)
        request.deadline = .seconds(Int64(deadline))
        var log = LogFrameDecoder()
        var cutter = LineSplitter()
        var lines: [String] = []
        var size = 0
        try await chunks(request, idle: .seconds(Int64(deadline))) { bytes in
            log.read(bytes) { part in
                for line in cutter.lines(in: part) {
                    lines.append(line)
                    size += line.utf8.count
                }
            }
            while size > Self.mostLogBytes, !lines.isEmpty { size -= lines.removeFirst().utf8.count }
        }
        if let rest = cutter.rest { lines.append(rest) }
        return lines.suffix(count)
    }

    /// Passes a container's output (stdout and stderr) to `each` as it arrives; returns when the container ends.
    ///
    /// `since`: time from which output is returned. The engine reads the output from its log file, so that a slow
    /// reader does not delay the container.
    ///
    /// `isStamped`: true to get each line with its time at the beginning (see ``TimestampedLines``).
    package func followLog(
        of container: String, since: Date, isStamped: Bool = false, each: (ArraySlice<UInt8>) async throws -> Void
    ) async throws {
        var request = Self.logRequest(container, tail: "all", since: since)
        request.query.append(("follow", "1"))
        if isStamped { request.query.append(("timestamps", "1")) }
        var log = LogFrameDecoder()
        try await chunks(request, idle: nil) { bytes in
            var parts: [ArraySlice<UInt8>] = []
            log.read(bytes) { parts.append($0) }
            for part in parts { try await each(part) }
        }
    }

    private static let mostLogBytes = 1 << 20
    /// Number of additional lines to request, because the engine counts each 16 KiB part of a long line as one line.
    private static let spareParts = 64

    private static func logRequest(_ container: String, tail: String, since: Date?) -> DockerRequest {
        var query = [("stdout", "1"), ("stderr", "1"), ("tail", tail)]
        if let since {
            // The engine accepts seconds with a fraction; times outside a plausible range are clamped.
            let seconds = min(max(since.timeIntervalSince1970, 0), 1e10)
            let fraction = String(Int((seconds - seconds.rounded(.down)) * 1000) + 1000).dropFirst()
            query.append(("since", "\(Int(seconds)).\(fraction)"))
        }
        return DockerRequest(.GET, "containers", container, "logs", query: query)
    }
}

/// Removes the engine's frame headers from the stream of a container's log.
///
/// Each frame begins with a header of eight bytes, of which the first identifies stdout or stderr. The log of a
/// container with a terminal has no headers (Engine API, "Attach to a container", stream format).
struct LogFrameDecoder {
    private var buffer = ByteBuffer()
    private var isFramed: Bool?
    /// Number of bytes of the current frame that have not been read yet.
    private var left = 0

    mutating func read(_ bytes: ByteBuffer, each: (ArraySlice<UInt8>) -> Void) {
        buffer.writeImmutableBuffer(bytes)
        while buffer.readableBytes > 0 {
            if isFramed == false || left > 0 {
                let count = isFramed == false ? buffer.readableBytes : min(left, buffer.readableBytes)
                left = max(left - count, 0)
                if let part = buffer.readBytes(length: count) { each(part[...]) }
                continue
            }
            guard buffer.readableBytes >= 8 || isFramed == nil && !Self.mayBeHeader(buffer.readableBytesView) else {
                break
            }
            guard Self.mayBeHeader(buffer.readableBytesView),
                let length = buffer.getInteger(at: buffer.readerIndex + 4, as: UInt32.self)
            else {
                isFramed = false
                continue
            }
            isFramed = true
            buffer.moveReaderIndex(forwardBy: 8)
            left = Int(length)
        }
        buffer.discardReadBytes()
    }

    private static func mayBeHeader(_ bytes: ByteBufferView) -> Bool {
        zip(bytes, 0...).prefix(4).allSatisfy { byte, place in place == 0 ? byte <= 3 : byte == 0 }
    }
}
