import OrcContract
import OrcCore
import Synchronization

/// Subscribers to the console output of servers.
final class ConsoleSocketSubscribers: Sendable {
    struct Lines: Sendable {
        let lines: [String]
        /// Number of lines missing before ``lines``: the agent omitted them, or the listener did not read them in time.
        let dropped: Int
    }

    private struct Place: Hashable {
        let host: HostName
        let server: ServerID
    }

    /// Maximum number of messages buffered for one listener; beyond it, the oldest are dropped and counted.
    private static let buffer = 64

    private struct Listener {
        let continuation: AsyncStream<Lines>.Continuation
        var missed = 0
    }

    private let state = Mutex<(listeners: [Place: [Int: Listener]], next: Int)>(([:], 0))

    /// Runs `body` with a stream of a server's console output, which begins with the call.
    func listen<Result>(
        to server: ServerID, of host: HostName, _ body: (AsyncStream<Lines>) async throws -> Result
    ) async rethrows -> Result {
        let place = Place(host: host, server: server)
        let (stream, continuation) = AsyncStream<Lines>.makeStream(bufferingPolicy: .bufferingNewest(Self.buffer))
        let number = state.withLock { state in
            state.next += 1
            state.listeners[place, default: [:]][state.next] = Listener(continuation: continuation)
            return state.next
        }
        defer {
            state.withLock { state in
                state.listeners[place]?[number] = nil
                if state.listeners[place]?.isEmpty == true { state.listeners[place] = nil }
            }
        }
        return try await body(stream)
    }

    var count: Int { state.withLock { $0.listeners.values.reduce(0) { $0 + $1.count } } }

    func take(_ payload: [UInt8], of server: ServerID, on host: HostName) {
        let place = Place(host: host, server: server)
        state.withLock { state in
            guard let listeners = state.listeners[place], let json = try? JSON.parse(payload),
                let report = ConsoleReport(json)
            else { return }
            for (number, listener) in listeners {
                let dropped = min(max(report.dropped, 0), 1_000_000) + listener.missed
                var missed = 0
                if case .dropped(let old) = listener.continuation.yield(Lines(lines: report.lines, dropped: dropped)) {
                    missed = old.lines.count + old.dropped
                }
                state.listeners[place]?[number]?.missed = missed
            }
        }
    }
}
