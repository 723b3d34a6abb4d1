import FoundationEssentials
import Glibc
import Logging
import OrcAgent
import OrcBridge
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import OrcPlans
import OrcStorage
import ServiceLifecycle
import UnixSignals

/// The one place where the rooms are joined.
struct ServiceWiring {
    let settings: Settings
    let logger: Logger

    /// `isQuiet`: logs warnings and errors alone, whatever the settings say.
    init(_ settings: Settings, isQuiet: Bool) throws {
        self.settings = settings
        let level = isQuiet ? .warning : try settings.logLevel()
        let isJSON = try settings.logsJSON()
        LoggingSystem.bootstrap { _ in LineLogHandler(logLevel: level, isJSON: isJSON) }
        logger = Logger(label: "orc")
        for key in settings.unknownVariables {
            logger.warning("a variable of the environment is no setting", metadata: ["key": "\(key)"])
        }
    }

    /// Runs the agent, and the bridge beside it, until they are told to end.
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

    /// The embedded broker where there is to be one, and how the agent reaches its broker.
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

    /// `agent`: how the agent reaches the broker; of the embedded one the bridge is another user.
    private func bridge(_ bridgeSettings: BridgeSettings, _ agent: MQTTConfiguration, _ store: StateStore) throws
        -> HTTPBridge
    {
        var options = agent
        var bridgeSettings = bridgeSettings
        // Without descriptors left nothing goes on, neither bus nor engine: half of them are enough for callers.
        bridgeSettings.maxConnections = min(bridgeSettings.maxConnections, Descriptors.raiseLimit() / 2)
        if try settings.brokers().isEmpty { options.broker = try brokerFiles().url(user: BrokerFiles.operatorUser) }
        if bridgeSettings.apiKey == nil, try store.keys().isEmpty { try makeFirstKey(store) }
        let known = KnownHosts(try? store.bridgeHosts()) { hosts in
            // Without it a host is known with its next heartbeat.
            try? store.set(bridgeHosts: hosts)
        }
        return try HTTPBridge(
            bridgeSettings, bus: options, keys: { try store.accessKeys() }, known: known, logger: logger)
    }

    /// Nobody could call otherwise, and nobody is let in by a key that everybody knows.
    private func makeFirstKey(_ store: StateStore) throws {
        let root = try settings.root()
        guard let key = try KeyStore.add("first", .admin, to: store) else { return }
        do {
            try DirectoryHandle(path: "\(root)/orc").write(Array("\(key)\n".utf8), to: "first.key", mode: 0o600)
        } catch {
            _ = try store.revokeKey("first")  // nobody knows it
            throw error
        }
        logger.notice("made a first key for the REST bridge", metadata: ["file": "\(root)/orc/first.key"])
    }

    /// Opens the store; one that is damaged is set aside, and a new one begun.
    private func openStore(_ path: String) throws -> StateStore {
        do { return try StateStore(path: path) } catch StorageError.damaged(let message) {
            let aside = "\(path).damaged-\(Int(Date().timeIntervalSince1970))"
            logger.error(
                "the store is damaged: it is set aside, and a new one begun",
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

    /// How a command of this program reaches the broker.
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

/// A service that shows no more of itself than its type: the group writes its services, with all that they hold, into
/// the log, and some hold keys and passwords.
private struct NamedService: Service, CustomStringConvertible {
    let service: any Service

    var description: String { "\(type(of: service))" }

    func run() async throws { try await service.run() }
}

/// The folders below `<root>`.
enum DataDirectory {
    static func prepare(_ root: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let folder = try DirectoryHandle(path: root)
        for name in ["servers", "backups"] { _ = try folder.makingFolder(name) }
        try prepareOwn(root)
        _ = try folder.makingFolder("orc").makingFolder("broker", mode: 0o700)
    }

    /// Orc's own folder alone.
    static func prepareOwn(_ root: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        // The broker's user must pass through it; what is secret in it is closed by itself.
        _ = try DirectoryHandle(path: root).makingFolder("orc", mode: 0o711)
        try makePrivate("\(root)/orc/orc.db")
    }

    /// SQLite gives its other files the rights of the first.
    static func makePrivate(_ path: String) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // Whoever opens it says what is wrong, or goes on without.
        if file >= 0 { close(file) }
    }
}

/// Held while an agent works on a root, so that two never do (flock(2)).
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

    /// Waits a little for an agent that is just ending.
    init(path: String) async throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // On a disk that takes nothing it can be locked all the same.
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

    /// Whether an agent works on the root just now.
    static func isHeld(path: String) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0
    }
}

/// How many files and connections the process may hold.
enum Descriptors {
    /// As many as the system lets it: thousands of readers of the event stream are that many connections.
    ///
    /// - Returns: how many that are.
    @discardableResult
    static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        // Where it may not, what it has must do.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }
}
