import OrcContract
import OrcCore
import Synchronization
import Testing

@testable import OrcAgent
@testable import OrcMetrics

@Suite struct SupervisionTasksTests {
    private let server = ServerID(uid: "a.b")!

    /// Waits until it is cancelled, or for an hour, and says so.
    private func wait(_ name: String, _ ended: AsyncStream<String>.Continuation) async {
        await AsyncSignal().wait(.seconds(3600))
        ended.yield(name)
    }

    @Test func `what is waited for last takes the place of what was before`() async {
        let waits = SupervisionTasks()
        let (ends, ended) = AsyncStream<String>.makeStream()
        var next = ends.makeAsyncIterator()
        waits.begin(.run, server) { await wait("first", ended) }
        waits.begin(.retry, server) { await wait("retry", ended) }
        waits.begin(.run, server) { await wait("second", ended) }
        #expect(await next.next() == "first")
        waits.end(.run, server)
        #expect(await next.next() == "second")
        waits.begin(.run, ServerID(uid: "a.c")!) { await wait("other", ended) }
        waits.endAll()
        #expect(await Set([next.next(), next.next()]) == ["retry", "other"])
    }

    @Test func `what is over is forgotten, and does not end what came after it`() async {
        let waits = SupervisionTasks()
        let (ends, ended) = AsyncStream<String>.makeStream()
        var next = ends.makeAsyncIterator()
        for number in 0..<100 {
            waits.begin(.run, server) { ended.yield("\(number)") }
            _ = await next.next()
        }
        while waits.count > 0 { await Task.yield() }
        waits.begin(.run, server) { await wait("last", ended) }
        #expect(waits.count == 1)
        waits.endAll()
        #expect(await next.next() == "last")
    }
}
