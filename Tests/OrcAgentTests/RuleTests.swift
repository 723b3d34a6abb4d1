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

@Suite struct StopRecipeTests {
    private func recipe(
        _ arguments: JSON.Object = [:], _ plan: (inout PlanOptions.StopOptions) -> Void = { _ in }, peon: Bool = false,
        console: Bool = true
    ) -> StopMethod {
        var options = PlanOptions.StopOptions()
        plan(&options)
        return StopMethod(
            arguments, options: options, image: .init(isPeons: peon, hasConsole: console), defaultGrace: 60)
    }

    @Test func `the command goes before the plan, and the plan before what suits the image`() {
        #expect(recipe().way == .engine && recipe().grace == 60)
        #expect(recipe(peon: true).way == .signalAll(.int))
        #expect(recipe([:], { $0.command = "quit" }, peon: true).way == .command("quit"))
        #expect(recipe([:], { $0.signal = .int }).way == .signal(.int))
        #expect(
            recipe(
                [:],
                {
                    $0.signal = .term; $0.signalsAll = true
                }
            ).way == .signalAll(.term))
        #expect(recipe(["signal": "HUP"], { $0.command = "quit" }).way == .signal(.hup))
        #expect(recipe(["command": "save", "grace": 5], { $0.grace = 9 }).way == .command("save"))
        #expect(recipe(["grace": 0], { $0.grace = 9 }).grace == 0)
        #expect(recipe([:], { $0.grace = 9 }).grace == 9)
        #expect(recipe([:], { $0.command = "quit" }, console: false).way == .engine)
        #expect(
            recipe(
                [:],
                {
                    $0.command = "quit"; $0.signal = .int
                }, console: false
            ).way == .signal(.int))
    }
}

@Suite struct InterruptionTests {
    private let server = ServerID(uid: "game.a")!

    private func job(_ action: ServerAction, _ arguments: JSON.Object = [:]) -> ServerJob {
        let route = ReplyRoute(mirror: "peon/h/result/server/game-a/\(action.rawValue)", topic: nil, correlation: nil)
        return ServerJob(
            Command(
                target: .server(server, action), id: "x", arguments: arguments, route: route, by: nil,
                receivedAt: Date()))
    }

    @Test func `what ends a server breaks off what brings it up, and a kill also a stop`() {
        let ending: [ServerAction] = [.stop, .kill, .destroy, .eradicate]
        for later in ServerAction.allCases where later != .power {
            for earlier in ServerAction.allCases where earlier != .power {
                let bringsUp = [.create, .start, .restart, .pause, .unpause].contains(earlier)
                let expected = ending.contains(later) && (bringsUp || later == .kill && earlier == .stop)
                #expect(job(later).breaksOff(job(earlier)) == expected, "\(later) after \(earlier)")
            }
            #expect(job(later).supersedes == ending.contains(later))
        }
        #expect(job(.power, ["state": "OFF"]).breaksOff(job(.power, ["state": "ON"])))
        #expect(!job(.power, ["state": "ON"]).breaksOff(job(.power, ["state": "OFF"])))
        #expect(job(.kill).breaksOff(job(.power, ["state": "restart"])))
    }

    @Test func `what the agent does unasked breaks off no command, and is broken off as the command would be`() {
        let step = StateStore.PendingOperation(.stopping, since: Date())
        for recovery: ServerJob.Upkeep in [.finishStop(step), .discard(inPlace: false), .stopForRoom, .retry, .restore]
        {
            for action in ServerAction.allCases {
                #expect(!ServerJob(recovery, of: server).breaksOff(job(action)), "\(recovery), \(action)")
            }
        }
        #expect(job(.stop).breaksOff(ServerJob(.retry, of: server)))
        #expect(job(.kill).breaksOff(ServerJob(.finishStop(step), of: server)))
        #expect(!job(.stop).breaksOff(ServerJob(.finishStop(step), of: server)))
    }
}

@Suite struct PortBookTests {
    private let groups = [
        [PlanPort(name: "PORT", number: 1, word: "udp"), PlanPort(name: "RCON", number: 2, word: "tcp")],
        [PlanPort(name: "PORT", number: 11, word: "udp"), PlanPort(name: "RCON", number: 12, word: "tcp")],
    ]

    @Test func `the first group that is wholly free is taken, each protocol for itself`() throws {
        var book = PortAllocator()
        #expect(try book.choose(from: groups, numbers: [:]) == groups[0])
        book.add(1, .tcp, holder: "x")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[0])
        book.add(1, .udp, holder: "x")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[1])
    }

    @Test func `a stopped server's ports are left free while there are others, and taken where there are none`() throws
    {
        var book = PortAllocator()
        book.reserve(1, .udp, holder: "the server a.b")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[1])
        book.add(12, .tcp, holder: "x")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[0])
    }

    @Test func `where no group is free the holder is named`() {
        var book = PortAllocator()
        book.add(1, .udp, holder: "the container web")
        book.add(12, .tcp, holder: "x")
        let error = #expect(throws: ActionError.self) { try book.choose(from: groups, numbers: [:]) }
        #expect(error?.code == .portInUse && error?.description == "port 1/udp is held by the container web")
    }

    @Test func `a port is free at an address where it is held at another`() throws {
        func group(_ address: String?) -> [[PlanPort]] {
            [[PlanPort(name: "PORT", number: 1, word: "udp", address: address)]]
        }
        var book = PortAllocator()
        book.add(1, .udp, at: "127.0.0.1", holder: "x")
        for free in ["127.0.0.2", "::1", "10.0.0.1"] {
            #expect(try book.choose(from: group(free), numbers: [:]) == group(free)[0])
        }
        for taken in ["127.0.0.1", "0.0.0.0", "::", nil, "::ffff:127.0.0.1"] {
            #expect(throws: ActionError.self) { try book.choose(from: group(taken), numbers: [:]) }
        }
        book.add(1, .udp, at: "::", holder: "y")
        #expect(throws: ActionError.self) { try book.choose(from: group("127.0.0.2"), numbers: [:]) }
    }

    @Test func `the owner's own numbers do not make one port of two`() throws {
        let both = [PlanPort(name: "PORT", number: 1, word: "udp"), PlanPort(name: "QUERY", number: 2, word: "udp")]
        let book = PortAllocator()
        for numbers in [["QUERY": 1], ["PORT": 2], ["PORT": 7, "QUERY": 7]] {
            let error = #expect(throws: ActionError.self) { try book.choose(from: [both], numbers: numbers) }
            #expect(error?.code == .badArguments)
        }
        #expect(try book.choose(from: [both], numbers: ["PORT": 2, "QUERY": 1]).map(\.number) == [2, 1])
        #expect(try book.choose(from: groups, numbers: ["RCON": 1]).map(\.number) == [1, 1])
        let same = [PlanPort(name: "PORT", number: 1, word: "udp"), PlanPort(name: "GAME", number: 1, word: "udp")]
        #expect(try book.choose(from: [same], numbers: [:]) == same)
    }

    @Test func `the owner's own numbers count`() throws {
        var book = PortAllocator()
        book.add(1, .udp, holder: "x")
        #expect(try book.choose(from: groups, numbers: ["PORT": 99]).map(\.number) == [99, 2])
    }

    @Test func `the kernel's tables are read`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 1 1
               1: 0100007F:C350 0100007F:075B 01 00000000:00000000 00:00000000 00000000   100        0 2 1
               2: 00000000000000000000000000000000:2069 00000000000000000000000000000000:0000 07 00000000:00000000 00:0 0
            """
        let tcp = BoundPorts.ports(in: table, transport: .tcp), udp = BoundPorts.ports(in: table, transport: .udp)
        #expect(tcp.map(\.number) == [1883] && tcp[0].address == BoundAddress("127.0.0.1"))
        #expect(udp.map(\.number) == [1883, 50000, 8297] && udp[2].address == .every)
        #expect(
            BoundPorts.ports(in: "", transport: .tcp).isEmpty && BoundPorts.ports(in: "x\ny", transport: .udp).isEmpty
        )
    }
}

@Suite struct PresenceTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func heard(
        _ state: AgentReport.OnlineState = .online, instance: String = "other", started: TimeInterval = -100,
        said: TimeInterval = -10
    ) -> AgentReport {
        AgentReport(
            state: state, reason: nil, instance: instance, session: 1, started: now.addingTimeInterval(started),
            at: now.addingTimeInterval(said))
    }

    private func rival(_ report: AgentReport?) -> AgentReport? {
        AgentPresence.rival(report, to: "own", earlier: ["before"], started: now, now: now)
    }

    @Test func `the younger of two agents stands back, and none for a dead one or its own past`() {
        #expect(rival(heard()) != nil)
        #expect(rival(nil) == nil)
        #expect(rival(heard(.offline)) == nil)
        #expect(rival(heard(instance: "own")) == nil)
        #expect(rival(heard(instance: "before")) == nil)
        #expect(rival(heard(said: -91)) == nil)
        #expect(rival(heard(started: 1)) == nil)
    }

    @Test func `an old offline is answered, the own goodbye is not`() {
        let presence = AgentPresence(instance: "own", started: now, earlier: [])
        _ = presence.will(session: 2, topic: "t")
        let stale = heard(.offline, instance: "own")
        #expect(presence.hear(stale.json.bytes) == .stale)
        #expect(presence.hear(presence.publication(.offline, .stopped, topic: "t").payload) == .nothing)
        #expect(presence.hear(presence.publication(.online, nil, topic: "t").payload) == .nothing)
        #expect(presence.hear([]) == .stale && presence.hear([0x78]) == .nothing)
    }
}

@Suite struct LaneTests {
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

    @Test func `jobs run one at a time in their order, and the seventeenth that waits is refused`() async {
        let (done, note) = AsyncStream<String>.makeStream()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let lane = ServerQueue { job in
            if job.verb == .get { for await _ in gate { break } }
            note.yield(job.arguments["n"]?.string ?? "")
        }
        await withTaskGroup { group in
            group.addTask { await lane.run() }
            #expect(lane.enqueue(job(.get, ["n": "0"])))
            while lane.waitingCount > 0 { await Task.yield() }
            for number in 1...16 { #expect(lane.enqueue(job(.description, ["n": .string("\(number)")]))) }
            #expect(!lane.enqueue(job(.description, ["n": "17"])))
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
