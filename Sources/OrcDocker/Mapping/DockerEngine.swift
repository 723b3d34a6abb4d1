import FoundationEssentials
package import Logging
package import OrcContract
import OrcCore
package import OrcEngine

/// The agent's container engine, implemented with Docker, or with Podman's Docker-compatible API.
///
/// Contains everything that is specific to Docker: its JSON documents, its error messages, how its restarts are
/// detected.
package struct DockerEngine: ContainerEngine {
    package let client: DockerClient
    let logger: Logger

    package init(_ client: DockerClient, logger: Logger) {
        self.client = client
        self.logger = logger
    }

    package func connect() async throws -> EngineVersion {
        try await translated {
            let version = try await client.negotiate()
            return EngineVersion(version: version.version, api: client.apiVersion)
        }
    }

    package func ping() async throws {
        try await translated {
            do { try await client.ping() } catch DockerError.refused {}  // a refusal is an answer too
        }
    }

    /// Identifies the current run of the engine's daemon by the creation time of the default network.
    ///
    /// Docker recreates that network whenever it starts with no container running. If there is no such network, the
    /// host's boot id is used, which does not change when only the engine restarts; `isCertain` is false then.
    package func instance() async throws -> EngineInstance {
        try await translated {
            if let made = try await client.defaultNetworkMade() { return EngineInstance(id: made, isCertain: true) }
            // If the file cannot be read, the id is empty and never changes.
            let boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
            return EngineInstance(id: boot, isCertain: false)
        }
    }

    package func events(opened: () async throws -> Void, each: (ContainerEvent) async throws -> Void) async throws {
        try await translated {
            try await client.events(opened: opened) { event in
                if let event = ContainerEvent(event) { try await each(event) }
            }
        }
    }

    package func containers() async throws -> [ListedContainer] {
        try await translated { try await client.containers().map(ListedContainer.init) }
    }

    package func inspect(_ container: String) async throws -> Container {
        try await translated { Container(try await client.inspect(container)) }
    }

    package func image(_ name: String) async throws -> ImageInfo? {
        try await translated { try await client.image(name).map { ImageInfo(id: $0.id, isPeons: $0.isPeons) } }
    }

    package func pull(
        _ reference: String, silence: Int, progress: (PullProgress) async throws -> Void
    ) async throws {
        let login = await RegistryLogin(image: reference, logger: logger).header()
        try await translated {
            try await client.pull(reference, login: login, silence: silence) { line in
                try await progress(
                    PullProgress(
                        layer: line.id, status: line.status, current: line.detail?.current, total: line.detail?.total))
            }
        }
    }

    package func usage(of container: String, run: String) async throws -> ResourceUsage? {
        try await translated {
            ResourceUsage(try await client.stats(of: container), run: run, readAt: MonotonicClock.seconds)
        }
    }

    package func usageDocument(of container: String, run: String) async throws -> UsageDocument {
        try await translated {
            let text = try await client.statsDocument(of: container)
            let readAt = MonotonicClock.seconds
            // A document that cannot be decoded is passed on unchanged.
            guard let stats = try? JSONDecoder().decode(ContainerStats.self, from: Data(text)) else {
                return UsageDocument(text: text, now: nil, earlier: nil)
            }
            return UsageDocument(
                text: text, now: ResourceUsage(stats, run: run, readAt: readAt),
                earlier: ResourceUsage.earlier(in: stats, run: run, readAt: readAt))
        }
    }

    /// Runs `call`, and translates a ``DockerError`` into the agent's own type of error.
    func translated<Result>(_ call: () async throws -> Result) async throws -> Result {
        do { return try await call() } catch let error as DockerError { throw EngineFailure(error) }
    }
}
