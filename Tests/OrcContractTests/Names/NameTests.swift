import OrcContract
import OrcCore
import Testing

@Suite struct NameTests {
    @Test(arguments: [
        ("valheim.alpha", "valheim-alpha"), ("a.b-c", "a-b-c"), ("a-b.c", "a_2db-c"), ("Game.Camp", "Game-Camp"),
        ("ark.the.island", "ark-the_2eisland"), ("x.y_z", "x-y_5fz"), ("a.\u{301}b", "a-_cc_81b"),
        ("spiel.größe", "spiel-gr_c3_b6_c3_9fe"),
        ("7dtd." + String(repeating: "a", count: 64), "7dtd-" + String(repeating: "a", count: 64)),
    ])
    func `a uid and its sid are one to one`(uid: String, sid: String) throws {
        let server = try #require(ServerID(uid: uid))
        #expect(server.sid == sid)
        #expect(ServerID(sid: sid) == server)
        #expect(ServerID(sid) == server && ServerID(uid) == server)
        #expect(sid.utf8.allSatisfy { $0 < 0x80 && !"./+#$ ".utf8.contains($0) })
    }

    @Test(arguments: [
        "", ".", "..", "valheim", "valheim.", ".alpha", "valheim...", "a./b", "a.b/c", "../x.y", "a.\u{0}", "a.b\n",
        "a..b",
        "a.\(String(repeating: "x", count: 300))",
    ])
    func `what could not be one folder is no uid`(text: String) {
        #expect(ServerID(uid: text) == nil)
    }

    @Test(arguments: ["valheim", "a-", "-a", "a_zz-b", "a-b_2", "a_61-b", "a-b_41", "a-_2e", "a-b_2f"])
    func `what no uid is written as is no sid`(text: String) {
        #expect(ServerID(sid: text) == nil)
    }

    @Test(arguments: [
        ("alpha", true), ("7dtd", true), ("a_b-c", true), (String(repeating: "a", count: 63), true), ("", false),
        ("-x", false), ("_x", false), ("Alpha", false), ("a b", false), ("a.b", false), ("a;rm", false), ("ä", false),
        (String(repeating: "a", count: 64), false), ("a\n", false), ("+", false), ("#", false),
    ])
    func `new names keep to the rule`(name: String, isAllowed: Bool) {
        #expect(NewName.allows(name) == isAllowed)
    }

    @Test(arguments: [("Games-01.example.org", "games-01"), ("", "host"), ("Ünï", "--n--"), ("a_b", "a-b")])
    func `a machine's name is made to fit`(machine: String, host: String) {
        #expect(HostName(fitting: machine).description == host)
    }
}
