import OrcContract
import OrcCore
import Testing

@testable import OrcPlans

@Suite struct LogPatternTests {
    @Test(arguments: [
        "Done! Server ready", "\u{1B}[32mDone! \u{1B}[1mServer ready\u{1B}[0m\r\r", "[12:00:01] Done! Server ready.",
        "\u{1B}]0;title\u{07}Done! Server ready",
    ])
    func `a line matches whatever its colours`(line: String) throws {
        #expect(try #require(LogPattern("Done! Server ready")).matches(line))
    }

    @Test(arguments: [".*Server ready", #"Done \(.*\)! For help"#, ".*players?.*joined", "(x+x+)+y", "(x|xx)*$!"])
    func `no line that a game prints keeps the reader busy`(pattern: String) throws {
        let pattern = try #require(LogPattern(pattern))
        let lines = [
            String(repeating: "x", count: 8192), String(repeating: "player", count: 1300),
            String(repeating: "Done (", count: 1300),
        ]
        let begun = ContinuousClock.now
        for line in lines { #expect(!pattern.matches(line)) }
        // Seconds each, before there was a bound; milliseconds now, also on a machine that is busy.
        #expect(ContinuousClock.now - begun < .seconds(1))
    }

    @Test func `patterns are read as PCRE2 reads them, by characters and not bytes`() throws {
        #expect(try #require(LogPattern(#"^\[\d\d:\d\d\] (?i)BEREIT für .ü$"#)).matches("[12:00] bereit für Zü"))
        #expect(try #require(LogPattern("a.c")).matches("aüc") && !#require(LogPattern("^a..c$")).matches("aüc"))
        #expect(LogPattern("[z-a]") == nil && LogPattern(String(repeating: "a", count: 1025)) == nil)
    }

    @Test func `patterns are regular expressions, and what is none is refused with the plan`() throws {
        #expect(try #require(LogPattern(#"Done \(\d+\.\d+s\)!"#)).matches("Done (12.5s)! For help"))
        #expect(try #require(LogPattern("^ready$")).matches("not ready") == false)
        #expect(LogPattern("(") == nil)
        let plan: JSON = [
            "metadata": ["game_uid": "g", "image": "i"], "orc": ["ready": ["pattern": "("]],
        ]
        #expect(throws: PlanError.self) { try Plan(plan, file: "plan.json") }
    }

    @Test func `restart, ready and autostart are read in full and in short`() throws {
        func options(_ orc: JSON) throws -> PlanOptions {
            try Plan(["metadata": ["game_uid": "g", "image": "i"], "orc": orc], file: "plan.json").options
        }
        let full = try options([
            "ready": ["pattern": "up", "timeout": 30],
            "restart": [
                "policy": "always", "delay": 1, "max_delay": .number("4.5"), "limit": 3, "window": 60, "reset": 20,
            ],
            "autostart": false,
        ])
        #expect(full.ready.pattern == "up" && full.ready.timeout == 30 && !full.autostarts)
        #expect(full.restart.mode == .always && full.restart.delay == 1 && full.restart.longestDelay == 4.5)
        #expect(full.restart.limit == 3 && full.restart.window == 60 && full.restart.goodRun == 20)
        #expect(try options(["restart": "on-failure", "ready": "up"]).restart.mode == .onFailure)
        #expect(try options([:]).restart == RestartPolicy() && options([:]).autostarts)
        for wrong in [["restart": "sometimes"], ["restart": ["delay": "x"]], ["autostart": "perhaps"]] as [JSON] {
            #expect(throws: PlanError.self) { try options(wrong) }
        }
    }
}
