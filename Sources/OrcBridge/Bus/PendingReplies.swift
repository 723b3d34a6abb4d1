import NIOCore
import NIOPosix
import OrcContract
import OrcCore
import Synchronization

/// Commands that this bridge has sent, and their replies: for callers that wait, and for callers that ask later.
///
/// An agent sends the full reply at QoS 0, so that this reply may be lost, and a copy without data, the mirror, at
/// QoS 1. If only the mirror arrives, callers get the mirror.
final class PendingReplies: Sendable {
    /// Time for which a command's outcome is kept; agents remember the ids of commands for the same time.
    private static let retention: Duration = .seconds(900)
    private static let capacity = 4096
    /// Maximum size in bytes of all records, beyond which the records of answered commands are removed.
    ///
    /// A caller seldom asks again for a reply that it has received, and the agent keeps the reply too.
    private static let maxBytes = 1 << 20
    /// Maximum size in bytes of all records, beyond which records of unanswered commands are removed too.
    private static let maxOpenBytes = 8 << 20
    /// Estimated size in bytes of a record without payload and replies: topic, keys and table entries.
    private static let recordBytes = 1024
    /// Time for which the full reply is awaited after the mirror has arrived.
    private static let fullReplyTimeout: Duration = .milliseconds(250)
    /// Maximum age of an unanswered command that is sent again after a reconnect.
    ///
    /// Brokers keep an agent's MQTT session for the same time.
    private static let resendTime: Duration = .seconds(60)

    struct Record: Sendable {
        fileprivate(set) var call: Call
        let sentAt: ContinuousClock.Instant
        var full: Reply? {
            get { packed?.reply }
            set { packed = newValue.map(PackedReply.init) }
        }
        fileprivate var packed: PackedReply?
        /// The reply from the mirror topic, without data.
        var mirror: Reply? {
            get { packedMirror?.reply }
            set { packedMirror = newValue.map(PackedReply.init) }
        }
        fileprivate var packedMirror: PackedReply?
        /// Sequence number of the command's sending or of its terminal reply; a lower number is older.
        fileprivate var number: Int
        fileprivate let isReading: Bool

        fileprivate var bytes: Int {
            recordBytes + call.payload.count + (packed?.text.count ?? 0) + (packedMirror?.text.count ?? 0)
        }

        /// The terminal reply; if none has arrived yet, the newest earlier reply.
        var reply: Reply? { isComplete || !isMirrorTerminal ? full ?? mirror : mirror }
        var isOver: Bool { isComplete || isMirrorTerminal }
        fileprivate var rank: (Int, Int) { (isOver ? isReading ? 0 : 1 : 2, number) }
        private var isMirrorTerminal: Bool { packedMirror?.status.isTerminal == true }
        fileprivate var isComplete: Bool { packed?.status.isTerminal == true }
        fileprivate var mayBeSentAgain: Duration {
            packed == nil && packedMirror == nil ? resendTime : retention - resendTime
        }
    }

    /// A reply stored as JSON text, which takes a tenth of the memory of a parsed reply.
    fileprivate struct PackedReply {
        let status: Reply.Status
        let text: [UInt8]

        init(_ reply: Reply) {
            status = reply.status
            text = reply.json.bytes
        }

        /// The parsed reply; not nil, since `init` wrote the text.
        var reply: Reply? { (try? JSON.parse(text)).flatMap { Reply($0) } }
    }

    private let state = Mutex(State())
    private let publish: @Sendable (Call) -> Bool

    /// `publish`: sends a command, and returns true if it was sent.
    init(publish: @escaping @Sendable (Call) -> Bool) { self.publish = publish }

    var sent: Int { state.withLock { $0.sent } }
    subscript(key: String) -> Record? { state.withLock { $0.records[key] } }

    /// Sends a command, even if it was sent before: an agent runs a command with the same id only once.
    ///
    /// - Returns: True if the command was sent; otherwise no record of the command is kept.
    func send(_ call: Call, now: ContinuousClock.Instant = .now) -> Bool {
        let earlier = state.withLock { state in
            state.removeOld(now: now)
            return state.replace(call, at: now)
        }
        let isSent = publish(call)
        state.withLock { state in
            if isSent { state.sent += 1 } else { state.restore(earlier, key: call.key) }
        }
        return isSent
    }

    /// Sends unanswered commands again if they are recent, or if an agent has acknowledged them.
    ///
    /// No agent runs a command twice.
    func resend(now: ContinuousClock.Instant = .now) {
        let open = state.withLock { state in
            state.records.values.filter { !$0.isOver && now - $0.sentAt < $0.mayBeSentAgain }
                .sorted { $0.number < $1.number }.map(\.call)
        }
        for call in open { _ = publish(call) }  // best effort: the command has been sent once already
    }

    /// Returns the record of a command after waiting up to `limit` for its terminal reply.
    func outcome(of key: String, within limit: Duration) async -> Record? {
        await wait(for: key, limit) { $0.isOver }
        if let record = self[key], record.isOver { await wait(for: key, Self.fullReplyTimeout) { $0.isComplete } }
        return self[key]
    }

    private func wait(for key: String, _ limit: Duration, until isDone: @escaping @Sendable (Record) -> Bool) async {
        guard limit > .zero, let record = self[key], !isDone(record) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while !Task.isCancelled, let record = self[key], !isDone(record) { await change(of: key, isDone) }
            }
            group.addTask {
                // Cancelled when the reply arrives; a cancelled `Task.sleep` keeps its memory until its deadline.
                let end = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: TimeAmount(limit)) {}
                await withTaskCancellationHandler {
                    _ = try? await end.futureResult.get()
                } onCancel: {
                    end.cancel()
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Waits until a reply to a command arrives.
    private func change(of key: String, _ isDone: (Record) -> Bool) async {
        let ticket = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                state.withLock { state in
                    if Task.isCancelled || state.records[key].map(isDone) ?? true {
                        waiter.resume()
                    } else {
                        state.waiters[key, default: [:]][ticket] = waiter
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.waiters[key]?.removeValue(forKey: ticket) }?.resume()
        }
    }

    /// Records a full reply to one of this bridge's commands.
    func take(_ reply: Reply, from host: HostName) {
        guard let id = reply.id else { return }
        for waiter in state.withLock({ $0.take(reply, from: host, id: id) }) { waiter.resume() }
    }

    /// Records the mirror of a reply; ignores the mirror if the command is another client's.
    ///
    /// `topic`: the topic of the mirror.
    func take(mirror reply: Reply, topic: String) {
        guard let id = reply.id else { return }
        let key = Self.key(mirror: topic, id: id)
        for waiter in state.withLock({ $0.take(mirror: reply, key: key) }) { waiter.resume() }
    }

    static func key(mirror topic: String, id: String) -> String { "\(topic) \(id)" }
}

extension PendingReplies {
    private struct State {
        var records: [String: Record] = [:]
        var bytes = 0
        /// Keys of the records by host and command id; a full reply does not contain the topic that its key begins
        /// with.
        var byID: [String: Set<String>] = [:]
        /// Waiting tasks by key and ticket; each is resumed once, by the code that removes it.
        var waiters: [String: [Int: CheckedContinuation<Void, Never>]] = [:]
        var nextWaiter = 0
        var nextNumber = 0
        var sent = 0
        private var lastExpiry = ContinuousClock.now

        private static func name(_ host: HostName, _ id: String) -> String { "\(host) \(id)" }

        /// Adds the record of a call, and removes an earlier record with the same key.
        ///
        /// - Returns: The earlier record, whose replies do not belong to this call.
        mutating func replace(_ call: Call, at now: ContinuousClock.Instant) -> Record? {
            let earlier = remove(call.key)
            nextNumber += 1
            add(Record(call: call, sentAt: now, number: nextNumber, isReading: call.action.spec.effect.isHarmless))
            return earlier
        }

        mutating func restore(_ earlier: Record?, key: String) {
            _ = remove(key)
            if let earlier { add(earlier) }
        }

        private mutating func add(_ record: Record) {
            records[record.call.key] = record
            bytes += record.bytes
            byID[Self.name(record.call.host, record.call.id), default: []].insert(record.call.key)
        }

        private mutating func remove(_ key: String) -> Record? {
            guard let record = records.removeValue(forKey: key) else { return nil }
            bytes -= record.bytes
            let name = Self.name(record.call.host, record.call.id)
            byID[name]?.remove(key)
            if byID[name]?.isEmpty == true { byID[name] = nil }
            return record
        }

        /// Removes expired records every 30 seconds, and the oldest records if there is no room.
        ///
        /// Answered reads are removed first, then other answered commands, then unanswered ones.
        mutating func removeOld(now: ContinuousClock.Instant) {
            if now - lastExpiry > .seconds(30) {
                lastExpiry = now
                for (key, record) in records where now - record.sentAt > retention { drop(key) }
            }
            while records.count >= capacity || bytes > maxBytes,
                let oldest = records.min(by: { $0.value.rank < $1.value.rank }),
                oldest.value.isOver || records.count >= capacity || bytes > maxOpenBytes
            {
                drop(oldest.key)
            }
        }

        private mutating func drop(_ key: String) {
            _ = remove(key)
            for waiter in takeWaiters(of: key) { waiter.resume() }
        }

        mutating func take(_ reply: Reply, from host: HostName, id: String) -> [CheckedContinuation<Void, Never>] {
            (byID[Self.name(host, id)] ?? []).flatMap { key -> [CheckedContinuation<Void, Never>] in
                guard let record = records[key], record.call.isAnswered(by: reply), !record.isComplete else {
                    return []
                }
                return change(record) { record in
                    record.full = reply
                    if record.isComplete {
                        record.call.payload = []
                        record.mirror = nil
                    }
                }
            }
        }

        mutating func take(mirror reply: Reply, key: String) -> [CheckedContinuation<Void, Never>] {
            guard let record = records[key], !record.isOver else { return [] }
            // The result of a read is only in the full reply.
            guard reply.status != .ok || !record.isReading else { return [] }
            return change(record) { $0.mirror = reply }
        }

        private mutating func change(
            _ record: Record, _ body: (inout Record) -> Void
        ) -> [CheckedContinuation<Void, Never>] {
            var changed = record
            body(&changed)
            if changed.isOver {
                nextNumber += 1
                changed.number = nextNumber
            }
            bytes += changed.bytes - record.bytes
            records[record.call.key] = changed
            return takeWaiters(of: record.call.key)
        }

        private mutating func takeWaiters(of key: String) -> [CheckedContinuation<Void, Never>] {
            waiters.removeValue(forKey: key).map { Array($0.values) } ?? []
        }
    }
}
