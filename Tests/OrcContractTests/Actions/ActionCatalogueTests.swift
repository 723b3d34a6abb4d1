import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct ActionCatalogueTests {
    @Test(arguments: Action.allCases) func `every example passes its own check`(action: Action) {
        #expect(action.spec.complaint(about: action.spec.example) == nil)
        #expect(!action.spec.summary.isEmpty)
    }

    @Test func `a role may do what lesser ones may`() {
        #expect(Role.viewer < .operator && Role.operator < .admin && !(Role.admin < .viewer))
    }

    @Test func `a reply is read back as it was written`() {
        var reply = Reply(action: "stop", status: .error, at: Date(timeIntervalSince1970: 1_800_000_000))
        reply.id = "7"
        reply.server = ServerID(uid: "valheim.alpha")
        reply.code = .portInUse
        reply.error = "taken"
        reply.changed = false
        reply.seq = 9
        reply.took = 12
        #expect(Reply(reply.json)?.json == reply.json)
    }

    @Test(arguments: ["2026-11-25T01:02:03Z", "2026-11-25T01:02:03.000Z", "2026-11-25T02:02:03+01:00"])
    func `times are read with and without decimals and zone`(text: String) {
        #expect(Timestamp.date(text).map(Timestamp.text) == "2026-11-25T01:02:03.000Z")
    }

    @Test(arguments: ["1e300", "-1e300", "253402300800", "-62135769601"])
    func `a time beyond the calendar is none`(number: String) {
        #expect(Timestamp.date(JSON.number(number)) == nil)
    }
}
