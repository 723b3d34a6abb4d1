import Foundation
import OrcContract
import OrcCore
import Testing

@testable import OrcAgent

@Suite struct RestartDebouncerTests {
    private let server = ServerID(uid: "a.b")!
    private let start = Date(timeIntervalSince1970: 1_800_000_000)

    private func job(
        _ action: ServerAction, after seconds: Double, id: String? = nil, converges: Bool? = nil
    ) -> ServerJob {
        var command = Command(
            target: .server(server, action), id: id, arguments: [:],
            route: ReplyRoute(mirror: "m", topic: nil, correlation: nil), by: nil,
            receivedAt: start.addingTimeInterval(seconds))
        if let converges { command.converges = converges }
        return ServerJob(command)
    }

    /// Returns whether the last of `jobs` joins a restart at `start`.
    private func joins(_ jobs: ServerJob...) -> Bool {
        let debouncer = RestartDebouncer()
        debouncer.note(server, at: start)
        return jobs.map { debouncer.joins($0, server) }.last ?? false
    }

    @Test func `a second restart within five seconds joins the first`() {
        #expect(joins(job(.restart, after: 0)) && joins(job(.restart, after: 4.9)))
        #expect(!joins(job(.restart, after: 5)))
        #expect(joins(job(.restart, after: 1), job(.restart, after: 2)), "so does a third")
    }

    @Test func `a restart with an id of its own joins only if it says so`() {
        #expect(!joins(job(.restart, after: 1, id: "x")) && joins(job(.restart, after: 1, id: "x", converges: true)))
    }

    @Test func `another command that changes the server ends the window, a query does not`() {
        #expect(!joins(job(.start, after: 1)) && !joins(job(.start, after: 1), job(.restart, after: 2)))
        #expect(joins(job(.get, after: 1), job(.restart, after: 2)))
    }

    @Test func `nothing joins without an earlier restart`() {
        #expect(!RestartDebouncer().joins(job(.restart, after: 0), server))
    }
}
