import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import OrcStorage
import Synchronization
import Testing

@testable import OrcAgent
@testable import OrcMetrics
@testable import OrcPlans

@Suite struct ServerQueueTests {
    private func job(_ action: ServerAction, _ arguments: JSON.Object = [:]) -> ServerJob {
        ServerJob(
            Command(
                target: .server(ServerID(uid: "a.b")!, action), id: nil, arguments: arguments,
                route: ReplyRoute(mirror: "m", topic: nil, correlation: nil), by: nil, receivedAt: Date()))
    }

    @Test func `power becomes what its word says`() {
        #expect(job(.power, ["state": "ON"]).verb == .start && job(.power, ["state": "OFF"]).verb == .stop)
        #expect(job(.power, ["state": "restart"]).verb == .restart)
    }

    @Test func `stop and kill break off what runs before them, and no more`() {
        #expect(
            job(.stop).breaksOff(job(.start)) && job(.kill).breaksOff(job(.stop))
                && job(.eradicate).breaksOff(job(.create)))
        #expect(
            !job(.stop).breaksOff(job(.stop)) && !job(.start).breaksOff(job(.stop))
                && !job(.stop).breaksOff(job(.description)))
        #expect(
            job(.power, ["state": "OFF"]).breaksOff(job(.restart))
                && !job(.power, ["state": "ON"]).breaksOff(job(.restart)))
    }

    @Test func `a full queue accepts as many jobs again that end the server, and no more`() {
        let queue = ServerQueue { _ in }
        #expect((0..<17).map { _ in queue.enqueue(job(.description)) } == Array(repeating: true, count: 16) + [false])
        #expect((0..<17).map { _ in queue.enqueue(job(.stop)) } == Array(repeating: true, count: 16) + [false])
    }

    @Test func `jobs run one at a time in their order, and the seventeenth that waits is refused`() async {
        let (done, note) = AsyncStream<String>.makeStream()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let queue = ServerQueue { job in
            if job.verb == .get { for await _ in gate { break } }
            note.yield(job.arguments["n"]?.string ?? "")
        }
        await withTaskGroup { group in
            group.addTask { await queue.run() }
            #expect(queue.enqueue(job(.get, ["n": "0"])))
            while queue.waitingCount > 0 { await Task.yield() }
            for number in 1...16 { #expect(queue.enqueue(job(.description, ["n": .string("\(number)")]))) }
            #expect(!queue.enqueue(job(.description, ["n": "17"])))
            open.yield()
            var seen: [String] = []
            for await name in done {
                seen.append(name)
                if seen.count == 17 { break }
            }
            #expect(seen == (0...16).map { "\($0)" })
            group.cancelAll()
        }
    }
}

extension ServerQueue {
    fileprivate var waitingCount: Int { state.withLock { $0.waiting.count } }
}
