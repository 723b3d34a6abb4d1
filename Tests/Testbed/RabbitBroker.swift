package import Foundation

/// A RabbitMQ of one node or two with its MQTT plugin, which one test has for itself.
///
/// It speaks no MQTT 5, turns dots into slashes, knows retained messages by exact names alone, and each node has its own.
package final class RabbitBroker: Sendable {
    package let nodes: [Node]
    private let mapper: Daemon

    private init(nodes: [Node], mapper: Daemon) {
        self.nodes = nodes
        self.mapper = mapper
    }

    /// Runs `body` with one that answers on all of its nodes.
    package static func with(
        nodes count: Int = 1, _ body: @escaping @Sendable (RabbitBroker) async throws -> Void
    ) async throws {
        try await Testbed.withFolder { folder in
            let epmd = Testbed.freePort()
            let names = (0..<count).map { _ in "orc\(Testbed.freePort())@localhost" }
            let nodes = try names.map { try Node(name: $0, first: names[0], epmd: epmd, folder: folder) }
            let mapper = try await Daemon.start(
                "epmd", ["-port", "\(epmd)"], environment: nodes[0].environment, log: folder.appending(path: "epmd.log")
            )
            let broker = RabbitBroker(nodes: nodes, mapper: mapper)
            let result: Swift.Result<Void, any Error>
            do {
                for node in nodes { try await node.start() }
                result = .success(try await body(broker))
            } catch {
                result = .failure(error)
            }
            for node in nodes { node.kill() }
            try? await mapper.end()
            try result.get()
        }
    }

    /// One of its processes, which keeps its ports and its files.
    package struct Node: Sendable {
        /// Where it speaks MQTT.
        package let port: Int
        package let log: URL
        fileprivate let environment: [String: String]
        private let folder: URL

        fileprivate init(name: String, first: String, epmd: Int, folder: URL) throws {
            let (amqp, distribution) = (Testbed.freePort(), Testbed.freePort())
            port = Testbed.freePort()
            self.folder = folder.appending(path: name)
            log = self.folder.appending(path: "\(name).log")
            // The nodes of one broker know each other by a cookie in it.
            let home = folder.appending(path: "home")
            for folder in [self.folder, home] {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            }
            try "[rabbitmq_mqtt].".write(
                to: self.folder.appending(path: "enabled_plugins"), atomically: true, encoding: .utf8)
            try """
            listeners.tcp.default = 127.0.0.1:\(amqp)
            mqtt.listeners.tcp.default = 127.0.0.1:\(port)
            mqtt.allow_anonymous = true
            mqtt.default_user = guest
            mqtt.default_pass = guest
            mqtt.tcp_listen_options.nodelay = true
            cluster_formation.peer_discovery_backend = classic_config
            cluster_formation.classic_config.nodes.1 = \(first)
            """.write(to: self.folder.appending(path: "rabbitmq.conf"), atomically: true, encoding: .utf8)
            let quiet = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
            environment = [
                "RABBITMQ_NODENAME": name, "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": "\(amqp)", "RABBITMQ_DIST_PORT": "\(distribution)",
                "RABBITMQ_MNESIA_BASE": self.folder.path(), "RABBITMQ_LOG_BASE": self.folder.path(),
                "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder.appending(path: "enabled_plugins").path(),
                "RABBITMQ_CONFIG_FILE": self.folder.appending(path: "rabbitmq").path(),
                "RABBITMQ_PID_FILE": self.folder.appending(path: "pid").path(), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} \(quiet)",
                "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": "\(epmd)", "HOME": home.path(),
            ]
        }

        /// Starts it, and waits until it speaks MQTT, and knows what the others know, which comes a little later.
        package func start() async throws {
            let before = starts
            let folders = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/rabbitmq/lib")
            guard let version = folders.first(where: { $0.hasPrefix("rabbitmq_server-") }) else {
                throw Testbed.Missing("rabbitmq-server: run scripts/test")
            }
            _ = try await Daemon.start(
                "/usr/lib/rabbitmq/lib/\(version)/sbin/rabbitmq-server", [], environment: environment,
                log: folder.appending(path: "out"))
            try await within(.seconds(180), "RabbitMQ") {
                while !Testbed.answers(port: port) || starts == before { try await Task.sleep(for: .milliseconds(50)) }
            }
        }

        /// How often it has said that it is up.
        private var starts: Int {
            ((try? String(contentsOf: log, encoding: .utf8)) ?? "").ranges(of: "Server startup complete").count
        }

        /// Ends it as a loss of power does.
        package func kill() {
            // The script hands its own end on to the node, which writes its number into the file.
            let pid = (try? String(contentsOf: folder.appending(path: "pid"), encoding: .utf8)).flatMap {
                Int32($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
            if let pid { Glibc.kill(pid, SIGKILL) }
        }
    }
}
