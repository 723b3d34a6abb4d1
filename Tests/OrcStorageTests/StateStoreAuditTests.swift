import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcStorage

@Suite struct StateStoreAuditTests {
    private func entry(_ action: String, _ outcome: String, changed: Bool? = nil, second: Double = 1) -> AuditEntry {
        var entry = AuditEntry(
            at: Date(timeIntervalSince1970: second), origin: .bus, action: action, outcome: outcome)
        entry.changed = changed
        return entry
    }

    private func withStore(_ body: (StateStore) throws -> Void) async throws {
        try await Testbed.withFolder { try body(try StateStore(path: $0.appending(path: "orc.db").path())) }
    }

    private func actions(_ store: StateStore) throws -> [String] {
        var all = AuditFilter()
        all.limit = 1000
        return try store.history(all).map(\.action)
    }

    @Test func `a command that failed while it was carried out is kept like a change`() async throws {
        try await withStore { store in
            for _ in 0..<5 { try store.add([entry("stop", "timeout"), entry("start", "busy"), entry("get", "ok")]) }
            try store.trimHistory(before: .distantPast, most: 10)
            let left = try actions(store)
            #expect(left.count { $0 == "stop" } == 5)
            #expect(left.count { $0 != "stop" } == 1, "what changed nothing has a tenth of the room")
        }
    }

    @Test func `the oldest changes beyond the limit are deleted, and all that are older than the date`() async throws {
        try await withStore { store in
            for second in 1...6 { try store.add([entry("\(second)", "ok", changed: true, second: Double(second))]) }
            try store.trimHistory(before: Date(timeIntervalSince1970: 2), most: 3)
            #expect(try actions(store) == ["6", "5", "4"])
            try store.trimHistory(before: Date(timeIntervalSince1970: 5), most: 3)
            #expect(try actions(store) == ["6", "5"])
        }
    }
}
