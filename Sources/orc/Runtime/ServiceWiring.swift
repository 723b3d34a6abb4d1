import FoundationEssentials
import Glibc
import Logging
import OrcAgent
import OrcBridge
import OrcContract
import OrcCore
import OrcDocker
import OrcFiles
import OrcMQTT
import OrcPlans
import OrcStorage
import ServiceLifecycle
import UnixSignals

/// Creates and connects the services of all modules; only this type does so.
struct ServiceWiring {
    let settings: Settings
    let logger: Logger

    /// Sets up logging.
    ///
    /// `isQuiet`: true to log only warnings and errors, regardless of the settings.
    init(_ settings: Settings, isQuiet: Bool) throws {
        self.settings = settings
        let level = isQuiet ? .warning : try settings.logLevel()
        let isJSON = try settings.logsJSON()
        LoggingSystem.bootstrap { _ in LineLogHandler(logLevel: level, isJSON: isJSON) }
        logger = Logger(label: "orc")
        for key in settings.unknownVariables {
            logger.warning("unknown setting in the environment", metadata: ["key": "\(key)"])
        }
    }

    /// Runs the agent and the bridge until the process is asked to end.
    func run() async throws {
        MemoryTrimmer.boundHeaps()
        Descriptors.raiseLimit()
        let agentSettings = try settings.agent()
        try DataDirectory.prepare(agentSettings.root)
        let lock = try await RootLock(path: "\(agentSettings.own)/lock")
        defer { lock.release() }
        let (broker, options) = try await broker(user: "\(agentSettings.host)")
        let store = try openStore(agentSettings.database)
        defer { store.finish() }
        let agent = try Agent(
            agentSettings, bus: options, engine: DockerEngine(DockerClient(try settings.engine()), logger: logger),
            store: store, logger: logger)
        let bridge = try settings.bridge().map { try self.bridge($0, options, store) }
        logger.info(
            "starting",
            metadata: [
                "version": "\(settings.version)", "host": "\(agentSettings.host)", "root": "\(agentSettings.root)",
            ])
        try await run(broker + agent.services + (bridge?.services ?? []))
    }

    /// Runs the bridge alone.
    func runBridge() async throws {
        MemoryTrimmer.boundHeaps()
        guard let bridgeSettings = try settings.bridge() else {
            throw SettingsError.unreadable(
                key: SettingKey.httpListen.rawValue, value: "", wanted: "an address and a port, such as 127.0.0.1:5000")
        }
        let store = try KeyStore.open(settings)
        let bridge = try bridge(bridgeSettings, try clientOptions(), store)
        logger.info("starting the bridge", metadata: ["version": "\(settings.version)"])
        try await run(bridge.services)
    }

    private func run(_ services: [any Service]) async throws {
        let own: [any Service] = [MemoryTrimmer()] + (Watchdog().map { [$0] } ?? [])
        let named = (services + own).map { NamedService(service: $0) }
        let group = ServiceGroup(services: named, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
        logger.info("stopped")
    }

    /// Returns the embedded broker, if no other is configured, and the agent's MQTT configuration.
    private func broker(user: String) async throws -> (services: [any Service], options: MQTTConfiguration) {
        var services: [any Service] = []
        var options: MQTTConfiguration
        let brokers = try settings.brokers()
        if let first = brokers.first {
            options = MQTTConfiguration(broker: first, clientID: "")
            options.otherBrokers = Array(brokers.dropFirst())
        } else {
            let files = try brokerFiles()
            try await files.awaitFreePort()
            try await files.prepare()
            services.append(EmbeddedBroker(files: files, logger: logger))
            options = MQTTConfiguration(broker: try files.url(user: user), clientID: "")
            options.brokerIsUp = { await files.awaitAnswer() }
        }
        options.version = try settings.mqttVersion()
        options.tls = settings.tlsFiles
        return (services, options)
    }

    /// Creates the bridge.
    ///
    /// `agent`: the agent's MQTT configuration; the bridge uses another user of the embedded broker.
    private func bridge(_ bridgeSettings: BridgeSettings, _ agent: MQTTConfiguration, _ store: StateStore) throws
        -> HTTPBridge
    {
        var options = agent
        var bridgeSettings = bridgeSettings
        // Without free descriptors neither MQTT nor the container engine can be reached: HTTP clients get at most half
        // of them.
        bridgeSettings.maxConnections = min(bridgeSettings.maxConnections, Descriptors.raiseLimit() / 2)
        if try settings.brokers().isEmpty { options.broker = try brokerFiles().url(user: BrokerFiles.operatorUser) }
        if bridgeSettings.apiKey == nil, try store.keys().isEmpty { try makeFirstKey(store) }
        let known = KnownHosts(try? store.bridgeHosts()) { hosts in
            // If this fails, the host becomes known with its next heartbeat.
            try? store.set(bridgeHosts: hosts)
        }
        return try HTTPBridge(
            bridgeSettings, bus: options, keys: { try store.accessKeys() }, known: known, logger: logger)
    }

    /// Creates a first API key with the role admin, and writes it to `<root>/orc/first.key`.
    ///
    /// Without a key no client could use the bridge, and a default key would be known to everyone.
    private func makeFirstKey(_ store: StateStore) throws {
        let root = try settings.root()
        guard let key = try KeyStore.add("first", .admin, to: store) else { return }
        do {
            try DirectoryHandle(path: "\(root)/orc").write(Array("\(key)\n".utf8), to: "first.key", mode: 0o600)
        } catch {
            _ = try store.revokeKey("first")  // no client knows it
            throw error
        }
        logger.notice("created a first key for the REST bridge", metadata: ["file": "\(root)/orc/first.key"])
    }

    /// Opens the database; if the database is damaged, quarantines it and creates a new one.
    private func openStore(_ path: String) throws -> StateStore {
        do { return try StateStore(path: path) } catch StorageError.damaged(let message) {
            let aside = "\(path).damaged-\(Int(Date().timeIntervalSince1970))"
            logger.error(
                "the database is damaged: it is quarantined, and a new one is created",
                metadata: ["error": "\(message)", "kept": "\(aside)"])
            for suffix in ["", "-wal", "-shm"] where access(path + suffix, F_OK) == 0 {
                try FileManager.default.moveItem(atPath: path + suffix, toPath: aside + suffix)
            }
            try DataDirectory.makePrivate(path)
            return try StateStore(path: path, aside: aside)
        }
    }

    func brokerFiles() throws -> BrokerFiles {
        BrokerFiles(root: try settings.root(), host: try settings.host(), listen: try settings.brokerListen())
    }

    /// The MQTT configuration of this program's subcommands.
    func clientOptions() throws -> MQTTConfiguration {
        let brokers = try settings.brokers()
        let first = try brokers.first ?? brokerFiles().url(user: BrokerFiles.operatorUser)
        var options = MQTTConfiguration(broker: first, clientID: "orc-cli-\(UUID().uuidString.prefix(13))")
        options.otherBrokers = Array(brokers.dropFirst())
        options.version = try settings.mqttVersion()
        options.tls = settings.tlsFiles
        return options
    }
}

/// Wraps a service so that its description is only the name of its type.
///
/// The service group logs its services with all their members, and some services have keys and passwords as members.
private struct NamedService: Service, CustomStringConvertible {
    let service: any Service

    var description: String { "\(type(of: service))" }

    func run() async throws { try await service.run() }
}

/// Creates the folders below `<root>`.
enum DataDirectory {
    static func prepare(_ root: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let folder = try DirectoryHandle(path: root)
        for name in ["servers", "backups"] { _ = try folder.makingFolder(name) }
        try prepareOwn(root)
        _ = try folder.makingFolder("orc").makingFolder("broker", mode: 0o700)
    }

    /// Creates only Orc's own folder, `<root>/orc`, and the database file in it.
    static func prepareOwn(_ root: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        // The broker's user must pass through it; secret files in it are protected by their own mode.
        _ = try DirectoryHandle(path: root).makingFolder("orc", mode: 0o711)
        try makePrivate("\(root)/orc/orc.db")
    }

    /// Creates the database file with private access rights, which SQLite copies to the other files of the database.
    static func makePrivate(_ path: String) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // The code that opens the database reports the error, or works without the database.
        if file >= 0 { close(file) }
    }
}

/// A lock that an agent holds on its root folder, so that no two agents use the same root folder (flock(2)).
struct RootLock {
    private let descriptor: Int32

    enum Failure: Error, CustomStringConvertible {
        case held(String)
        case unusable(String)

        var description: String {
            switch self {
            case .held(let path): "another agent works on this root: it holds \(path)"
            case .unusable(let path): "\(path) cannot be written"
            }
        }
    }

    /// Takes the lock; waits up to three seconds for an agent that is exiting.
    init(path: String) async throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // On a disk that cannot be written, an existing file can still be locked.
        descriptor = file >= 0 ? file : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.unusable(path) }
        for _ in 0..<60 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { break }
        }
        close(descriptor)
        throw Failure.held(path)
    }

    func release() { close(descriptor) }

    /// Returns true if an agent holds the lock.
    static func isHeld(path: String) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0
    }
}

/// The limit of the process's open files and connections.
enum Descriptors {
    /// Raises the limit to the system's maximum, 65,536 at most: each client of the event stream is a connection.
    ///
    /// - Returns: the limit in effect.
    @discardableResult
    static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        // If the limit cannot be raised, the present one is used.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }
}
