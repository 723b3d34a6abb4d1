import Foundation
import OrcContract
import OrcCore
import Synchronization
import Testbed
import Testing

extension EndToEnd {
    /// What PEON's orchestrator was recorded to answer, asked of this program in the same order; the differences that are
    /// meant stand with their reasons in `recorded-answers.json`.
    @Suite(.needsCorpus) struct RecordedAnswersTests {
        private typealias Prepare = @Sendable (String, BridgeRig) async throws -> Void

        @Test func `recorded requests are answered as PEON answered them`() async throws {
            let listed = try RecordedDifference.listed()
            let access = try await Self.replay(["A-auth"]) { _, _ in }
            let plans = try await Testbed.withFolder { folder in
                let repository = PlanRemote(folder: folder.appending(path: "remote"))
                try await repository.make()
                return try await Self.replay(["B-plans"], ["ORC_PLANS_URL": repository.folder.path()]) { id, rig in
                    try await repository.prepare(id, rig)
                }
            }
            let servers = try await Self.replay(
                ["C-create", "C2-create-errors", "D-lifecycle", "E-schedule", "G-update-import"]
            ) { id, rig in
                switch id {
                case "C2-create-errors-14":
                    // PEON took one of three required settings for enough: what it made stands in the way of others.
                    let settings: JSON = ["SERVER_NAME": "only-one", "WORLD_NAME": "b", "PASSWORD": "c"]
                    let made = try await rig.http.call("PUT", "/api/v1/server/create/valheim.partial", settings)
                    #expect(made.status == 200)
                case "C2-create-errors-18":
                    // A start that failed for its port is tried again here; PEON's servers are to find the port free.
                    let stopped = try await rig.http.call("PUT", "/api/v1/server/stop/valheim.alpha", [:])
                    #expect(stopped.status == 200)
                case "C2-create-errors-24": try await Self.removeDrawn(rig)
                default: break
                }
            }
            let found = access.union(plans).union(servers)
            for difference in found.subtracting(listed).sorted() { Issue.record("not listed: \(difference)") }
            for difference in listed.subtracting(found).sorted() {
                Issue.record("listed, but not seen: \(difference)")
            }
        }

        /// Removes servers whose names were drawn: the recorded requests name others.
        private static func removeDrawn(_ rig: BridgeRig) async throws {
            let index = try await rig.http.get("/api/v2/\(rig.orc.host)/status/servers").json["servers"]?.array ?? []
            for server in index where server["game"] == "valheim" && server["name"] != "alpha" {
                let uid = server["uid"]?.string ?? ""
                let removed = try await rig.http.call(
                    "DELETE", "/api/v1/server/destroy/\(uid)", ["eradicate": true])
                #expect(removed.status == 200)
            }
        }

        private static func replay(
            _ groups: [String], _ settings: [String: String] = [:], prepare: @escaping Prepare
        ) async throws -> Set<RecordedDifference> {
            let entries = try groups.flatMap { try PeonRecording.entries($0) }
            #expect(entries.count > 40)
            let found = Mutex<Set<RecordedDifference>>([])
            try await BridgeRig.with(settings: settings, plans: true) { rig in
                for entry in entries {
                    try await prepare(entry["id"]?.string ?? "", rig)
                    let differences = try await RecordedCall(entry).differences(asking: rig.http)
                    found.withLock { $0.formUnion(differences) }
                }
            }
            return found.withLock { $0 }
        }
    }
}

/// A difference between an answer and the recorded one.
struct RecordedDifference: Hashable, Comparable, CustomStringConvertible {
    enum Kind: String { case status, contentType, keys, types }

    let id: String
    let kind: Kind
    /// For people; not compared.
    var detail = ""

    var description: String { "\(id) \(kind) \(detail)" }

    static func == (left: Self, right: Self) -> Bool { left.id == right.id && left.kind == right.kind }
    static func < (left: Self, right: Self) -> Bool { (left.id, left.kind.rawValue) < (right.id, right.kind.rawValue) }

    func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(kind)
    }

    /// Those that are meant.
    static func listed() throws -> Set<RecordedDifference> {
        let file = Testbed.package.appending(path: "Tests/EndToEndTests/recorded-answers.json")
        let reasons = try JSON.parse(Array(Data(contentsOf: file))).array ?? []
        return Set(
            reasons.flatMap { reason in
                (reason["ids"]?.array ?? []).compactMap(\.string).flatMap { id in
                    (reason["differ"]?.array ?? []).compactMap { $0.string.flatMap(Kind.init) }
                        .map { RecordedDifference(id: id, kind: $0) }
                }
            })
    }
}

/// One recorded request with its answer.
struct RecordedCall {
    let id: String
    private let request: JSON
    private let response: JSON

    init(_ entry: JSON) {
        id = entry["id"]?.string ?? ""
        request = entry["request"] ?? .null
        response = entry["response"] ?? .null
    }

    func differences(asking http: HTTPCaller) async throws -> Set<RecordedDifference> {
        let method = request["method"]?.string ?? "GET"
        let target = request["path"]?.string ?? "/"
        var head = "\(method) \(target) HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n"
        for (name, value) in request["headers"]?.object?.members ?? [] { head += "\(name): \(value.string ?? "")\r\n" }
        let body = Self.later(request["body"]?.string ?? "")
        if request["body"]?.isNull == false { head += "Content-Length: \(body.utf8.count)\r\n" }
        let connection = try HTTPConnection(port: http.port, limit: 30)
        try await connection.send(head + "\r\n" + body)
        guard let answer = try await connection.answer(toHead: method == "HEAD") else {
            throw Overdue("an answer to \(id)")
        }
        return differences(answer, isBodiless: method == "HEAD" || method == "OPTIONS")
    }

    /// The recorder's times to come have passed: two hours from now in their place.
    private static func later(_ body: String) -> String {
        let soon = Int(Date().timeIntervalSince1970) + 7200
        return body.replacing(#/"epoch_time": ("?)17955\d{5}/#) { match in "\"epoch_time\": \(match.1)\(soon)" }
    }

    private func differences(_ answer: HTTPAnswer, isBodiless: Bool) -> Set<RecordedDifference> {
        guard response["status"]?.int == answer.status else {
            return [difference(.status, "\(response["status"]?.int ?? 0) became \(answer.status): \(answer.text)")]
        }
        var found: Set<RecordedDifference> = []
        let type = response["headers"]?["Content-Type"]?.string
        if !isBodiless, type != answer["Content-Type"] {
            found.insert(difference(.contentType, "\(type ?? "") became \(answer["Content-Type"] ?? "")"))
        }
        guard !isBodiless, type == "application/json", type == answer["Content-Type"],
            let recorded = response["body"]?.string.flatMap({ try? JSON.parse($0) })
        else { return found }
        if !Self.hasKeys(of: recorded, answer.json) { found.insert(difference(.keys, answer.text)) }
        if !Self.hasTypes(of: recorded, answer.json) { found.insert(difference(.types, answer.text)) }
        if !answer.text.hasSuffix("\n") { found.insert(difference(.contentType, "no line end")) }
        return found
    }

    private func difference(_ kind: RecordedDifference.Kind, _ detail: String) -> RecordedDifference {
        RecordedDifference(id: id, kind: kind, detail: detail)
    }

    /// The recorded keys are there, in their order; others may stand after them.
    private static func hasKeys(of recorded: JSON, _ answer: JSON) -> Bool {
        switch (recorded, answer) {
        case (.object(let recorded), .object(let answer)):
            recorded.keys.elementsEqual(answer.keys.filter { recorded.keys.contains($0) })
        case (.array(let recorded), .array(let answer)):
            zip(recorded.prefix(1), answer.prefix(1)).allSatisfy { hasKeys(of: $0, $1) }
        default: true
        }
    }

    private static func hasTypes(of recorded: JSON, _ answer: JSON) -> Bool {
        switch (recorded, answer) {
        case (.null, .null), (.bool, .bool), (.number, .number), (.string, .string): true
        case (.object(let recorded), .object(let answer)):
            recorded.members.allSatisfy { key, value in answer[key].map { hasTypes(of: value, $0) } ?? true }
        case (.array(let recorded), .array(let answer)):
            zip(recorded.prefix(1), answer.prefix(1)).allSatisfy { hasTypes(of: $0, $1) }
        default: false
        }
    }
}

/// A git repository of plans, and what the recorder did to the plans folder before its requests.
private struct PlanRemote {
    let folder: URL

    func make() async throws {
        try FileManager.default.copyItem(at: try Testbed.corpus().appending(path: "warplans"), to: folder)
        try await git("init", "-q", "-b", "main")
        try await commit()
    }

    private func git(_ arguments: String...) async throws {
        try await output("git", ["-C", folder.path(), "-c", "user.name=t", "-c", "user.email=t@t"] + arguments)
    }

    private func commit() async throws {
        try await git("add", "-A")
        try await git("commit", "-q", "-m", "plans")
    }

    private var away: URL { folder.appendingPathExtension("away") }

    func prepare(_ id: String, _ rig: BridgeRig) async throws {
        let plans = rig.orc.root.appending(path: "plans")
        let list = plans.appending(path: "plans.json")
        switch id {
        case "B-plans-01":
            try FileManager.default.removeItem(at: plans)
            try FileManager.default.createDirectory(at: plans, withIntermediateDirectories: true)
        case "B-plans-03", "B-plans-10": return try FileManager.default.moveItem(at: folder, to: away)
        case "B-plans-04", "B-plans-12": return try FileManager.default.moveItem(at: away, to: folder)
        case "B-plans-07":
            try installPlan("arcraiders", folder, ["SERVER_NAME": nil])
            return try await commit()
        case "B-plans-11": try "no JSON".write(to: list, atomically: true, encoding: .utf8)
        case "B-plans-13": try "[]".write(to: list, atomically: true, encoding: .utf8)
        case "B-plans-16": try FileManager.default.removeItem(at: plans)
        case "B-plans-20":
            for game in ["arcraiders", "minecraftjavaedition"] {
                try installPlan(game, plans, ["SERVER_NAME": nil, "STARTUP_COMMAND": "x", "NOTES": "x"])
            }
        case "B-plans-44":
            try installPlan("zz_falsy", plans, ["N": nil, "E": "", "Z": 0, "F": false, "I": 5, "T": true, "L": ["a"]])
            return
        default: return
        }
        _ = try await rig.orc.probe.send(.republish)
        try await Task.sleep(for: .milliseconds(100))
    }

    private func installPlan(_ game: String, _ plans: URL, _ environment: JSON.Object) throws {
        let plan: JSON = [
            "metadata": ["game_uid": .string(game), "image": "umlatt/steamcmd"], "environment": .object(environment),
        ]
        let folder = plans.appending(path: game)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try plan.text().write(to: folder.appending(path: "plan.json"), atomically: true, encoding: .utf8)
    }
}
