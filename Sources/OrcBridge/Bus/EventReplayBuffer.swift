import NIOCore
import OrcContract
import OrcCore
import Synchronization

/// The numbered history of the event stream: recent reports and events, bounded in count and bytes.
///
/// Metrics do not displace other entries, since new metrics replace them completely every few seconds.
///
/// A reader has no buffer of its own, only the number of its next entry. If the history no longer contains that entry,
/// the reader's stream ends.
final class EventReplayBuffer: Sendable {
    private static let capacity = 1024
    private static let maxMetrics = 256
    /// Maximum memory in bytes; the capacity of each frame's buffer is a power of two.
    private static let maxBytes = 2 << 20

    struct Entry: Sendable {
        let subject: Subject
        /// The text that is sent: `id:`, `event:` and `data:` lines.
        let frame: ByteBuffer
    }

    /// Host, server and kinds of an entry, by which readers filter the stream.
    struct Subject: Sendable {
        let host: HostName
        let server: ServerID?
        /// `report` or `event`; for a report also the last level of its topic, such as `state`.
        let kinds: [String]
        /// True for metrics, which the next message of the same kind soon replaces.
        var isFigure = false
    }

    enum Batch {
        case entries([Entry], next: Int)
        /// No new entry arrived before ``stir()`` was called.
        case quiet
        /// The stream must end, since the reader has fallen behind or the bridge is shutting down.
        case over
    }

    /// Random prefix of event ids, which distinguishes them from the ids before a restart of the bridge.
    let epoch = String(UInt32.random(in: .min ... .max), radix: 36)

    private let state = Mutex(State())

    private struct State {
        /// Entries in ascending order of their numbers; the numbers of removed metrics are missing.
        var entries: [(number: Int, entry: Entry)] = []
        var metricsCount = 0
        /// Lowest number from which the history is complete, except for removed metrics.
        var first = 0
        var next = 0
        var bytes = 0
        var isClosed = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0

        mutating func trim() {
            while metricsCount > EventReplayBuffer.maxMetrics || metricsCount > 0 && bytes > EventReplayBuffer.maxBytes,
                let oldest = entries.firstIndex(where: { $0.entry.subject.isFigure })
            {
                remove(at: oldest)
            }
            while entries.count - metricsCount > EventReplayBuffer.capacity
                || bytes > EventReplayBuffer.maxBytes && entries.count > 1
            {
                first = max(first, entries[0].number + 1)
                remove(at: 0)
            }
        }

        private mutating func remove(at index: Int) {
            let gone = entries.remove(at: index).entry
            bytes -= gone.frame.storageCapacity
            if gone.subject.isFigure { metricsCount -= 1 }
        }

        /// Returns the index of the first entry with `number` or a higher number.
        func index(of number: Int) -> Int {
            var (low, high) = (0, entries.count)
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].number < number { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters = [:] }
            return Array(waiters.values)
        }
    }

    /// Number of the next entry to be added.
    var next: Int { state.withLock { $0.next } }
    var readers: Int { state.withLock { $0.waiters.count } }

    func append(_ subject: Subject, event: String, _ data: JSON) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            let frame = frame(event: event, data, number: state.next)
            state.entries.append((state.next, Entry(subject: subject, frame: frame)))
            state.bytes += frame.storageCapacity
            if subject.isFigure { state.metricsCount += 1 }
            state.trim()
            state.next += 1
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns the lines of one event (HTML standard, 9.2.5); compact JSON contains no line end.
    func frame(event: String, _ data: JSON, number: Int?) -> ByteBuffer {
        ByteBuffer(string: "\(number.map { "id: \(epoch)-\($0)\n" } ?? "")event: \(event)\ndata: \(data.text())\n\n")
    }

    /// Returns the number after that of the entry with this `Last-Event-ID`; nil if the stream cannot resume there.
    ///
    /// The stream cannot resume if the history does not go back that far, or if the id is from before a restart.
    func resumption(after id: String) -> Int? {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == epoch, let number = Int(parts[1]) else { return nil }
        return state.withLock { state in
            number < state.next && number + 1 >= state.first && number >= 0 ? number + 1 : nil
        }
    }

    /// Discards the history, since messages may have been missed; readers cannot resume from an earlier entry.
    func breakOff() {
        let waiters = state.withLock { state in
            state.entries = []
            state.metricsCount = 0
            state.bytes = 0
            state.next += 1
            state.first = state.next
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Keep-alive of the stream: a comment without an id, since some clients treat every block with an id as an event.
    static let alive = ByteBuffer(string: ": alive\n\n")

    /// Returns the entries from `number` on; if there are none, first waits for a new entry or a call of ``stir()``.
    func batch(from number: Int) async -> Batch {
        if let batch = read(from: number) { return batch }
        await wait(from: number)
        return read(from: number) ?? .quiet
    }

    private func read(from number: Int) -> Batch? {
        state.withLock { state in
            if state.isClosed || number < state.first || Task.isCancelled { return .over }
            guard number < state.next else { return nil }
            let batch = state.entries[state.index(of: number)...].prefix(64)
            let isAll = batch.isEmpty || batch.last?.number == state.entries.last?.number
            return .entries(batch.map(\.entry), next: isAll ? state.next : (batch.last?.number ?? number) + 1)
        }
    }

    private func wait(from number: Int) async {
        let ticket = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                state.withLock { state in
                    if state.isClosed || state.next > number || Task.isCancelled {
                        waiter.resume()
                    } else {
                        state.waiters[ticket] = waiter
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }

    /// Wakes every waiting reader, so that each sends a keep-alive.
    func stir() {
        for waiter in state.withLock({ $0.takeWaiters() }) { waiter.resume() }
    }

    /// Ends every reader's stream.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }
}
