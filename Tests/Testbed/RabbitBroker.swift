import Foundation

/// A RabbitMQ with its MQTT plugin that one test has for itself.
///
/// It speaks no MQTT 5, turns dots into slashes, and knows retained messages by exact names alone.
package enum RabbitBroker {
    /// Runs `body` with the port on which it speaks MQTT.
    package static func with(_ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await Testbed.withFolder { folder in
            let (mqtt, amqp, distribution, epmd) = (
                Testbed.freePort(), Testbed.freePort(), Testbed.freePort(), Testbed.freePort()
            )
            let home = folder.appending(path: "home")
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            try "[rabbitmq_mqtt].".write(
                to: folder.appending(path: "enabled_plugins"), atomically: true, encoding: .utf8)
            try """
            listeners.tcp.default = 127.0.0.1:\(amqp)
            mqtt.listeners.tcp.default = 127.0.0.1:\(mqtt)
            mqtt.allow_anonymous = true
            mqtt.default_user = guest
            mqtt.default_pass = guest
            mqtt.tcp_listen_options.nodelay = true
            """.write(to: folder.appending(path: "rabbitmq.conf"), atomically: true, encoding: .utf8)
            let quiet = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
            let environment = [
                "RABBITMQ_NODENAME": "orc\(mqtt)@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": "\(amqp)", "RABBITMQ_DIST_PORT": "\(distribution)",
                "RABBITMQ_MNESIA_BASE": folder.path(), "RABBITMQ_LOG_BASE": folder.path(),
                "RABBITMQ_ENABLED_PLUGINS_FILE": folder.appending(path: "enabled_plugins").path(),
                "RABBITMQ_CONFIG_FILE": folder.appending(path: "rabbitmq").path(),
                "RABBITMQ_PID_FILE": folder.appending(path: "pid").path(), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} \(quiet)",
                "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": "\(epmd)", "HOME": home.path(),
            ]
            let folders = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/rabbitmq/lib")
            guard let version = folders.first(where: { $0.hasPrefix("rabbitmq_server-") }) else {
                throw Testbed.Missing("rabbitmq-server: run scripts/test")
            }
            let log = folder.appending(path: "out")
            let mapper = try await Daemon.start("epmd", ["-port", "\(epmd)"], environment: environment, log: log)
            let server = try await Daemon.start(
                "/usr/lib/rabbitmq/lib/\(version)/sbin/rabbitmq-server", [], environment: environment, log: log)
            let result: Swift.Result<Void, any Error>
            do {
                try await within(.seconds(60), "RabbitMQ") {
                    while !Testbed.answers(port: mqtt) { try await Task.sleep(for: .milliseconds(50)) }
                }
                result = .success(try await body(mqtt))
            } catch {
                result = .failure(error)
            }
            // The script hands its own end on to the node, which writes its number into the file.
            let pid = (try? String(contentsOf: folder.appending(path: "pid"), encoding: .utf8)).flatMap {
                Int32($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
            if let pid { kill(pid, SIGKILL) }
            try? await server.end()
            try? await mapper.end()
            try result.get()
        }
    }
}
