import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine

/// Returns the resource usage of servers.
struct MetricsActions: Sendable {
    let servers: ServerOperations
    let collector: ServerMetricsCollector
    let engine: any ContainerEngine

    /// Returns the server's metrics and, if requested, the engine's own usage document.
    func stats(_ server: ServerID, _ arguments: JSON.Object) async throws -> ActionOutcome {
        let record = try servers.record(of: server)
        if let seconds = arguments["watch"]?.int, !collector.watch(server, seconds: seconds) {
            throw ActionError(.busy, "too many servers are watched")
        }
        let isRaw = arguments["raw"]?.flag == true
        guard let container = record.container else {
            return ActionOutcome(data: Self.statsAnswer(nil, nil, isRaw ? .null : nil))
        }
        guard isRaw else { return ActionOutcome(data: Self.statsAnswer(await collector.now(record), record, nil)) }
        async let now = collector.now(record)
        let document: UsageDocument
        do { document = try await engine.usageDocument(of: container.id, run: record.runName ?? "") } catch {
            guard let metrics = await now else { throw error }
            // The metrics come from the kernel, so they exist even if the engine gives no document.
            return ActionOutcome(data: Self.statsAnswer(metrics, record, .null))
        }
        let metrics = await now
        let raw = try? JSON.parse(document.text)  // invalid JSON is omitted
        // A document with two samples yields its own rates; podman's holds a single sample.
        let pair = collector.report(document, of: record)
        return ActionOutcome(data: Self.statsAnswer(pair?.rates == nil ? metrics ?? pair : pair, record, raw ?? .null))
    }

    private static func statsAnswer(_ metrics: MetricsReport?, _ server: ServerRecord?, _ raw: JSON?) -> JSON {
        let uptime = metrics == nil ? nil : server?.run.started.map { max(Date().timeIntervalSince($0), 0) }
        var answer: JSON.Object = [
            "metrics": metrics?.json ?? .null, "memory_percent": .rounded(metrics?.usage.memoryPercent, decimals: 2),
            "uptime_s": .rounded(uptime, decimals: 0),
        ]
        if let raw { answer["raw"] = raw }
        return .object(answer)
    }
}
