import Foundation
import OrcContract
import OrcCore
import Testbed

extension Rig {
    /// Runs `body` with an agent that can be looked at as a process, and its bridge.
    static func withBridge(_ body: @escaping @Sendable (Rig, HTTPCaller) async throws -> Void) async throws {
        let port = Testbed.freePort()
        let given = ["ORC_HTTP_LISTEN": "127.0.0.1:\(port)", "API_KEY": BridgeRig.key]
        try await with(settings: given) { rig in
            try await rig.withProbe { probe in
                try await rig.startAgent()
                try await probe.isOnline()
                let http = HTTPCaller(port: port, key: BridgeRig.key)
                try await BridgeRig.isReady(http)
                try await body(rig, http)
            }
        }
    }
}

/// An agent with its bridge, and a caller who is an admin.
struct BridgeRig: Sendable {
    let orc: OrcProcess
    let http: HTTPCaller

    static let key = "testkey"

    /// Runs `body` with an agent, a bridge that listens, and PEON's war plans where `plans`.
    static func with(
        settings: [String: String] = [:], key: String? = Self.key, plans: Bool = false, game: JSON? = nil,
        _ body: @escaping @Sendable (BridgeRig) async throws -> Void
    ) async throws {
        let port = Testbed.freePort()
        let given = ["ORC_HTTP_LISTEN": "127.0.0.1:\(port)", "API_KEY": key ?? "", "VERSION": "1.2.12"]
            .merging(settings) { _, given in given }
        try await OrcProcess.with(
            settings: given,
            prepare: { root in
                if plans {
                    let corpus = try Testbed.corpus().appending(path: "warplans")
                    try FileManager.default.copyItem(at: corpus, to: root.appending(path: "plans"))
                }
                if let game { try OrcProcess.installPlan("game", game.text(), in: root) }
            }
        ) { orc in
            let http = HTTPCaller(port: port, key: key)
            try await isReady(http)
            do { try await body(BridgeRig(orc: orc, http: http)) } catch {
                await removeServers(orc)
                throw error
            }
            await removeServers(orc)
        }
    }

    /// Waits until the bridge knows what the broker retains.
    static func isReady(_ http: HTTPCaller) async throws {
        try await within(.seconds(10), "the bridge to be ready") {
            while (try? await http.get("/readyz").status) != 200 { try await Task.sleep(for: .milliseconds(50)) }
        }
    }

    private static func removeServers(_ orc: OrcProcess) async {
        guard let list = try? await orc.probe.send(.list) else { return }
        let servers = (list.data["servers"]?.array ?? []).compactMap { report in
            ServerID(game: report["game_uid"]?.string ?? "", name: report["servername"]?.string ?? "")
        }
        await orc.clean(servers)
    }

    /// The stand-in game, which is ready at once.
    static let game: JSON = [
        "metadata": ["game_uid": "game", "image": "orc-test/game", "description": "stand-in"],
        "environment": ["READY_AFTER": "0", "NAME": nil], "volumes": ["~!/data": "/data"], "orc": ["restart": "never"],
    ]

    @discardableResult
    func create(_ uid: String) async throws -> HTTPAnswer {
        try await http.call("PUT", "/api/v1/server/create/\(uid)", ["NAME": "x"])
    }
}
