package import FoundationEssentials
package import OrcContract
package import OrcEngine

extension DockerEngine {
    package func create(_ spec: ContainerSpec, image: ImageInfo, memory: Int?) async throws -> String {
        let request = ContainerCreateRequest(spec, imageID: image.id, isPeons: image.isPeons, memory: memory)
        return try await translated { try await client.create(request, name: spec.name) }
    }

    package func start(_ container: String) async throws {
        try await translated { try await client.start(container) }
    }

    package func stop(_ container: String, grace: Int) async throws {
        try await translated { try await client.stop(container, grace: grace) }
    }

    package func signal(_ signal: StopSignal, _ container: String) async throws {
        try await translated { try await client.kill(container, signal: signal.rawValue) }
    }

    /// Sends a signal to all processes of the container except the first, by `kill(-1)` in a shell (kill(2)).
    ///
    /// The shell itself does not receive the signal. The shell's script is constant apart from the signal's name. If
    /// root in the container lacks the capability to signal other users' processes, the shell runs as the game's user.
    package func signalAll(_ signal: StopSignal, in container: Container) async throws {
        try await translated {
            try await client.execute(
                ["/bin/sh", "-c", "kill -\(signal.rawValue) -1"], as: container.signaller, in: container.id)
        }
    }

    package func kill(_ container: String) async throws {
        try await translated { try await client.kill(container, signal: "KILL") }
    }

    package func pause(_ container: String) async throws {
        try await translated { try await client.pause(container) }
    }

    package func unpause(_ container: String) async throws {
        try await translated { try await client.unpause(container) }
    }

    package func rename(_ container: String, to name: String) async throws {
        try await translated { try await client.rename(container, to: name) }
    }

    package func remove(_ container: String) async throws {
        try await translated { try await client.remove(container) }
    }

    package func wait(_ container: String, seconds: Int) async throws -> Bool {
        try await translated { try await client.wait(container, seconds: seconds) }
    }

    package func write(_ bytes: [UInt8], toInputOf container: String) async throws {
        try await translated { try await client.write(bytes, toInputOf: container) }
    }

    package func lastLines(of container: String, count: Int, since: Date?, deadline: Int) async throws -> [String] {
        try await translated {
            try await client.lastLines(of: container, count: count, since: since, deadline: deadline)
        }
    }

    package func followLog(
        of container: String, since: Date, each: (ArraySlice<UInt8>) async throws -> Void
    ) async throws {
        try await translated { try await client.followLog(of: container, since: since, each: each) }
    }

    package func followLines(of container: String, since: Date, each: ([String], Date) -> Void) async throws {
        var reader = TimestampedLines(after: since)
        try await translated {
            try await client.followLog(of: container, since: since, isStamped: true) { bytes in
                each(reader.lines(in: bytes), reader.last)
            }
        }
    }

    package func networkLabels(_ name: String) async throws -> [String: String]? {
        try await translated { try await client.networkLabels(name) }
    }

    package func createNetwork(_ name: String, labels: [String: String], subnet: String?) async throws {
        do { try await client.createNetwork(name, labels: labels, subnet: subnet) } catch let error as DockerError {
            throw EngineErrorClassifier.networkFailure(error) ?? EngineFailure(error)
        }
    }

    package func removeNetwork(_ name: String) async throws {
        try await translated { try await client.removeNetwork(name) }
    }

    package func subnets() async throws -> [String] { try await translated { try await client.subnets() } }
}
