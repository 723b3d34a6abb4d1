import Docker
import FoundationEssentials
import Peon

extension Actions {
    /// What a server uses of the machine.
    func stats(_ server: ServerID, _ arguments: JSON.Object) async throws -> Outcome {
        _ = try report(server)
        if let seconds = arguments["watch"]?.int, !meter.watch(server, seconds: seconds) {
            throw ActionError(.busy, "too many servers are watched")
        }
        let isRaw = arguments["raw"]?.flag == true
        guard let record = fleet[server], let container = record.container else {
            return Outcome(data: Self.statsAnswer(nil, nil, isRaw ? .null : nil))
        }
        guard isRaw else { return Outcome(data: Self.statsAnswer(meter.now(record), record, nil)) }
        let document = try await engine.statsDocument(of: container.id)
        // One that cannot be read is handed on as it is, and says nothing.
        let stats = try? JSONDecoder().decode(ContainerStats.self, from: Data(document))
        let raw = try? JSON.parse(document)
        return Outcome(data: Self.statsAnswer(stats.flatMap { meter.report($0, of: record) }, record, raw ?? .null))
    }

    private static func statsAnswer(_ metrics: MetricsReport?, _ server: Server?, _ raw: JSON?) -> JSON {
        let uptime = metrics == nil ? nil : server?.run.map { max(Date().timeIntervalSince($0), 0) }
        var answer: JSON.Object = [
            "metrics": metrics?.json ?? .null, "memory_percent": .rounded(metrics?.usage.memoryPercent, decimals: 2),
            "uptime_s": .rounded(uptime, decimals: 0),
        ]
        if let raw { answer["raw"] = raw }
        return .object(answer)
    }
}
