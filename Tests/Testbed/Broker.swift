package import Foundation
package import OrcMQTT
import Subprocess
import SystemPackage

/// A mosquitto that one test has for itself.
package struct Broker: Sendable {
    package let port: Int
    package let folder: URL

    package var url: BrokerURL { BrokerURL("mqtt://127.0.0.1:\(port)")! }

    package func options(_ clientID: String = "test-\(UUID().uuidString)") -> MQTTConfiguration {
        MQTTConfiguration(broker: url, clientID: clientID)
    }

    /// Runs `body` with a broker.
    ///
    /// `lines`: of its configuration, in place of a listener that lets everybody in; `PORT` and `FOLDER` are filled in.
    ///
    /// `prepare`: writes what the configuration needs into the broker's folder.
    package static func with<Result: Sendable>(
        _ lines: String = "listener PORT 127.0.0.1\nallow_anonymous true",
        prepare: (URL) async throws -> Void = { _ in },
        _ body: @escaping @Sendable (Broker) async throws -> Result
    ) async throws -> Result {
        try await Testbed.withFolder { folder in
            let port = Testbed.freePort()
            try await prepare(folder)
            let text = "user root\nset_tcp_nodelay true\n\(lines)\n"
                .replacingOccurrences(of: "PORT", with: "\(port)").replacingOccurrences(
                    of: "FOLDER", with: folder.path())
            let file = folder.appending(path: "mosquitto.conf")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return try await run("mosquitto", ["-c", file.path()]) {
                try await within(.seconds(5), "the broker") {
                    while !Testbed.answers(port: port) { try await Task.sleep(for: .milliseconds(5)) }
                }
                return try await body(Broker(port: port, folder: folder))
            }
        }
    }
}

/// Runs a program beside `body`, and ends it after it.
package func run<Result: Sendable>(
    _ program: String, _ arguments: [String], environment: [String: String] = [:],
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let changes: [Environment.Key: String?] = Dictionary(
        uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    let outcome = try await Subprocess.run(
        program.contains("/") ? .path(FilePath(program)) : .name(program), arguments: Arguments(arguments),
        environment: .inherit.updating(["PATH": path]).updating(changes), input: .none, output: .discarded,
        error: .discarded
    ) { execution in
        let result: Swift.Result<Result, any Swift.Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        try? execution.send(signal: .terminate)
        return result
    }
    return try outcome.closureResult.get()
}
