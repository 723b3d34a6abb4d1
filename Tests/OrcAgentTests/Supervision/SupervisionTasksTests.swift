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
        let tasks = SupervisionTasks()
        let (ends, ended) = AsyncStream<String>.makeStream()
        var next = ends.makeAsyncIterator()
        tasks.begin(.run, server) { await wait("first", ended) }
        tasks.begin(.retry, server) { await wait("retry", ended) }
        tasks.begin(.run, server) { await wait("second", ended) }
        #expect(await next.next() == "first")
        tasks.end(.run, server)
        #expect(await next.next() == "second")
        tasks.begin(.run, ServerID(uid: "a.c")!) { await wait("other", ended) }
        tasks.endAll()
        #expect(await Set([next.next(), next.next()]) == ["retry", "other"])
    }

    @Test func `what is over is forgotten, and does not end what came after it`() async {
        let tasks = SupervisionTasks()
        let (ends, ended) = AsyncStream<String>.makeStream()
        var next = ends.makeAsyncIterator()
        for number in 0..<100 {
            tasks.begin(.run, server) { ended.yield("\(number)") }
            _ = await next.next()
        }
        while tasks.count > 0 { await Task.yield() }
        tasks.begin(.run, server) { await wait("last", ended) }
        #expect(tasks.count == 1)
        tasks.endAll()
        #expect(await next.next() == "last")
    }
}
