import FoundationEssentials
import NIOCore
import NIOPosix
import OrcContract
import OrcCore
import Synchronization

/// Commands that this bridge has sent, and what came back: for those who wait, and for those who ask later.
///
/// The full reply goes through at QoS 0 and may be lost; its mirror comes at QoS 1. Where only the mirror came, it is the
/// answer.
final class PendingReplies: Sendable {
    /// How long an outcome is kept, as agents keep an id.
    private static let memory: Duration = .seconds(900)
    private static let capacity = 4096
    /// Of commands and replies: whoever has had his answer seldom asks for it again, and the agent keeps it for him too.
    private static let maxBytes = 1 << 20
    /// The same where nothing is left but what somebody waits for.
    private static let maxOpenBytes = 8 << 20
    /// What a record takes beside payload and reply: its topic, its keys, and the tables that it stands in.
    private static let recordBytes = 1024
    /// How long the mirror waits for the full reply.
    private static let patience: Duration = .milliseconds(250)
    /// For how long a command is sent again to a broker that has come back, as brokers keep an agent's session.
    private static let resending: Duration = .seconds(60)

    struct Record: Sendable {
        fileprivate(set) var call: Call
        let sentAt: ContinuousClock.Instant
        var full: Reply? {
            get { packed?.reply }
            set { packed = newValue.map(PackedReply.init) }
        }
        fileprivate var packed: PackedReply?
        /// The reply as its mirror has it, without data.
        var mirror: Reply? {
            get { packedMirror?.reply }
            set { packedMirror = newValue.map(PackedReply.init) }
        }
        fileprivate var packedMirror: PackedReply?
        /// Counts sendings and last words: the lower, the longer ago was what happened to it last.
        fileprivate var number: Int
        fileprivate let isReading: Bool

        fileprivate var bytes: Int {
            recordBytes + call.payload.count + (packed?.text.count ?? 0) + (packedMirror?.text.count ?? 0)
        }

        /// The last word, or the newest before it.
        var reply: Reply? { isComplete || !isMirrorTerminal ? full ?? mirror : mirror }
        var isOver: Bool { isComplete || isMirrorTerminal }
        fileprivate var rank: (Int, Int) { (isOver ? isReading ? 0 : 1 : 2, number) }
        private var isMirrorTerminal: Bool { packedMirror?.status.isTerminal == true }
        fileprivate var isComplete: Bool { packed?.status.isTerminal == true }
        fileprivate var mayBeSentAgain: Duration {
            packed == nil && packedMirror == nil ? resending : memory - resending
        }
    }

    /// A reply as its text, which takes a tenth of the room.
    fileprivate struct PackedReply {
        let status: Reply.Status
        let text: [UInt8]

        init(_ reply: Reply) {
            status = reply.status
            text = reply.json.bytes
        }

        /// What was written here can be read.
        var reply: Reply? { (try? JSON.parse(text)).flatMap { Reply($0) } }
    }

    private let state = Mutex(State())
    private let publish: @Sendable (Call) -> Bool

    /// `publish`: sends a command; whether it has gone out.
    init(publish: @escaping @Sendable (Call) -> Bool) { self.publish = publish }

    var sent: Int { state.withLock { $0.sent } }
    subscript(key: String) -> Record? { state.withLock { $0.records[key] } }

    /// Sends a command; one that is known already is sent too, as the agent runs an id once.
    ///
    /// - Returns: whether it has gone out; where it has not, nothing of it is kept.
    func send(_ call: Call, now: ContinuousClock.Instant = .now) -> Bool {
        let earlier = state.withLock { state in
            state.forgetOld(now: now)
            return state.replace(call, at: now)
        }
        let isSent = publish(call)
        state.withLock { state in
            if isSent { state.sent += 1 } else { state.restore(earlier, key: call.key) }
        }
        return isSent
    }

    /// Sends again what has not been answered, where it is young enough or an agent is known to have it; no agent runs it
    /// twice.
    func resend(now: ContinuousClock.Instant = .now) {
        let open = state.withLock { state in
            state.records.values.filter { !$0.isOver && now - $0.sentAt < $0.mayBeSentAgain }
                .sorted { $0.number < $1.number }.map(\.call)
        }
        for call in open { _ = publish(call) }  // what does not go out now had its chance
    }

    /// What has come back of a command; waits for its terminal reply, but not for longer than `limit`.
    func outcome(of key: String, within limit: Duration) async -> Record? {
        await wait(for: key, limit) { $0.isOver }
        if let record = self[key], record.isOver { await wait(for: key, Self.patience) { $0.isComplete } }
        return self[key]
    }

    private func wait(for key: String, _ limit: Duration, until isDone: @escaping @Sendable (Record) -> Bool) async {
        guard limit > .zero, let record = self[key], !isDone(record) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while !Task.isCancelled, let record = self[key], !isDone(record) { await change(of: key, isDone) }
            }
            group.addTask {
                // Cancelled once the reply is there; a `Task.sleep` would keep its memory until its end all the same.
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

    /// Waits until something comes back of a command.
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

    /// Takes a full reply to one of this bridge's commands.
    func take(_ reply: Reply, from host: HostName) {
        guard let id = reply.id else { return }
        for waiter in state.withLock({ $0.take(reply, from: host, id: id) }) { waiter.resume() }
    }

    /// Takes the mirror of a reply to anybody's command.
    ///
    /// `topic`: of the mirror.
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
        /// Keys by host and id: a full reply does not name its command's topic.
        var byID: [String: Set<String>] = [:]
        /// By key and ticket; resumed once, by whoever takes them out.
        var waiters: [String: [Int: CheckedContinuation<Void, Never>]] = [:]
        var nextWaiter = 0
        var nextNumber = 0
        var sent = 0
        private var lookedForOld = ContinuousClock.now

        private static func name(_ host: HostName, _ id: String) -> String { "\(host) \(id)" }

        /// - Returns: what was known of the key: it says nothing of this call.
        mutating func replace(_ call: Call, at now: ContinuousClock.Instant) -> Record? {
            let earlier = remove(call.key)
            nextNumber += 1
            add(Record(call: call, sentAt: now, number: nextNumber, isReading: call.action.isReading))
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

        /// Forgets what is too old now and then, and where there is no room the oldest: first of what was only asked for and
        /// answered, then of what is answered, then of the rest.
        mutating func forgetOld(now: ContinuousClock.Instant) {
            if now - lookedForOld > .seconds(30) {
                lookedForOld = now
                for (key, record) in records where now - record.sentAt > memory { forget(key) }
            }
            while records.count >= capacity || bytes > maxBytes,
                let oldest = records.min(by: { $0.value.rank < $1.value.rank }),
                oldest.value.isOver || records.count >= capacity || bytes > maxOpenBytes
            {
                forget(oldest.key)
            }
        }

        private mutating func forget(_ key: String) {
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
            // What was only asked for is in the full reply alone.
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
