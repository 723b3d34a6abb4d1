import Foundation
import Testing

@testable import OrcCore

@Suite struct AsyncSignalTests {
    @Test func `a sleep that is broken off leaves nothing behind`() async throws {
        func resident() throws -> Int {
            let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try #require(Int(words[1])) * 4096
        }
        func round() async {
            let alarm = AsyncSignal()
            let sleeper = Task { await alarm.wait(.seconds(3600)) }
            await Task.yield()
            if Bool.random() { alarm.ring() } else { sleeper.cancel() }
            await sleeper.value
        }
        for _ in 0..<2000 { await round() }
        let before = try resident()
        for _ in 0..<20000 { await round() }
        #expect(try resident() - before < 10_000_000)  // 50 MB with a sleep of Swift's
    }

    @Test func `it ends with its time, and one that was rung before does not begin`() async {
        let alarm = AsyncSignal()
        let begun = ContinuousClock.now
        await alarm.wait(.milliseconds(50))
        #expect(ContinuousClock.now - begun >= .milliseconds(50))
        alarm.ring()
        await alarm.wait(nil)
        let sleeper = Task { await alarm.wait(nil) }
        sleeper.cancel()
        await sleeper.value
    }
}
