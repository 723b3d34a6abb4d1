import NIOCore
import Peon
import Synchronization

/// What happened lately on the bus, numbered: the event stream's history, bounded in count and bytes.
///
/// Readers hold no buffer of their own, only the number that they have come to: one that falls behind the history is
/// dropped.
final class Feed: Sendable {
    private static let capacity = 1024
    private static let maxBytes = 2 << 20

    struct Entry: Sendable {
        let subject: Subject
        /// As it goes out, `id:`, `event:` and `data:` lines.
        let frame: ByteBuffer
    }

    /// What an entry is about: what readers choose by.
    struct Subject: Sendable {
        let host: HostName
        let server: ServerID?
        /// `report` or `event`, and the last level of its topic.
        let kinds: [String]
    }

    enum Batch {
        case entries([Entry], next: Int)
        /// Nothing has happened for a while.
        case quiet
        /// The reader has fallen behind, or the bridge is ending.
        case over
    }

    /// Tells this bridge's numbers from those of the one before it.
    let epoch = String(UInt32.random(in: .min ... .max), radix: 36)

    private let state = Mutex(State())

    private struct State {
        var entries: [Entry?] = Array(repeating: nil, count: Feed.capacity)
        /// The numbers of the history, `first..<next`.
        var first = 0
        var next = 0
        var bytes = 0
        var isClosed = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters = [:] }
            return Array(waiters.values)
        }
    }

    /// The number of the entry that will come next.
    var next: Int { state.withLock { $0.next } }
    var readers: Int { state.withLock { $0.waiters.count } }

    func append(_ subject: Subject, event: String, _ data: JSON) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            let frame = frame(event: event, data, number: state.next)
            while state.next - state.first >= Self.capacity
                || (state.bytes + frame.readableBytes > Self.maxBytes && state.first < state.next)
            {
                let slot = state.first % Self.capacity
                state.bytes -= state.entries[slot]?.frame.readableBytes ?? 0
                state.entries[slot] = nil
                state.first += 1
            }
            state.entries[state.next % Self.capacity] = Entry(subject: subject, frame: frame)
            state.bytes += frame.readableBytes
            state.next += 1
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The lines of one event (HTML standard, 9.2.5); compact JSON holds no line end.
    func frame(event: String, _ data: JSON, number: Int?) -> ByteBuffer {
        ByteBuffer(string: "\(number.map { "id: \(epoch)-\($0)\n" } ?? "")event: \(event)\ndata: \(data.text())\n\n")
    }

    /// The number after the entry with this `Last-Event-ID`, where the history goes back so far.
    func resumption(after id: String) -> Int? {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == epoch, let number = Int(parts[1]) else { return nil }
        return state.withLock { state in
            number < state.next && number + 1 >= state.first && number >= 0 ? number + 1 : nil
        }
    }

    /// Something may have been missed: no reader goes on from before.
    func breakOff() {
        let waiters = state.withLock { state in
            state.entries = Array(repeating: nil, count: Self.capacity)
            state.bytes = 0
            state.next += 1
            state.first = state.next
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Has a reader remember a number, and shows that the stream is alive (HTML standard, 9.2.6: without data nothing is
    /// dispatched).
    func mark(before number: Int) -> ByteBuffer {
        ByteBuffer(string: number > 0 ? ": alive\nid: \(epoch)-\(number - 1)\n\n" : ": alive\n\n")
    }

    /// What has come from `number` on; waits until there is something, or ``stir()`` is called.
    func batch(from number: Int) async -> Batch {
        if let batch = read(from: number) { return batch }
        await wait(from: number)
        return read(from: number) ?? .quiet
    }

    private func read(from number: Int) -> Batch? {
        state.withLock { state in
            if state.isClosed || number < state.first || Task.isCancelled { return .over }
            guard number < state.next else { return nil }
            let last = min(state.next, number + 64)
            return .entries((number..<last).compactMap { state.entries[$0 % Self.capacity] }, next: last)
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

    /// Wakes every reader, so that it shows that it is alive.
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
