import Agent
import Bus
import Docker
import FoundationEssentials
import Glibc
import Logging
import Peon
import Plans
import ServiceLifecycle
import Store
import UnixSignals

/// The one place where the rooms are joined.
struct Wiring {
    let settings: Settings
    let logger: Logger

    /// `isQuiet`: logs warnings and errors alone, whatever the settings say.
    init(_ settings: Settings, isQuiet: Bool) throws {
        self.settings = settings
        let level = isQuiet ? .warning : try settings.logLevel()
        let isJSON = try settings.logsJSON()
        LoggingSystem.bootstrap { _ in LogLine(logLevel: level, isJSON: isJSON) }
        logger = Logger(label: "orc")
    }

    /// Runs the agent until it is told to end.
    func run() async throws {
        let agentSettings = try settings.agent()
        try Root.prepare(agentSettings.root)
        let lock = try await RootLock(path: "\(agentSettings.own)/lock")
        defer { lock.release() }
        var services: [any Service] = []
        var options: BusOptions
        if let url = try settings.brokerURL() {
            options = BusOptions(broker: url, clientID: "")
        } else {
            let files = try brokerFiles()
            try await files.awaitFreePort()
            try await files.prepare()
            services.append(EmbeddedBroker(files: files, logger: logger))
            options = BusOptions(broker: try files.url(user: "\(agentSettings.host)"), clientID: "")
            options.brokerIsUp = { await files.awaitAnswer() }
        }
        options.version = try settings.mqttVersion()
        options.tls = settings.tlsFiles
        let store = try openStore(agentSettings.database)
        let agent = try OrcAgent(
            agentSettings, bus: options, engine: Engine(try settings.engine()), store: store, logger: logger)
        logger.info(
            "starting",
            metadata: [
                "version": "\(settings.version)", "host": "\(agentSettings.host)", "root": "\(agentSettings.root)",
            ])
        let group = ServiceGroup(
            services: services + agent.services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
        logger.info("stopped")
    }

    /// Opens the store; one that is damaged is set aside, and a new one begun.
    private func openStore(_ path: String) throws -> Store {
        do { return try Store(path: path) } catch StoreError.damaged(let message) {
            let aside = "\(path).damaged-\(Int(Date().timeIntervalSince1970))"
            logger.error(
                "the store is damaged: it is set aside, and a new one begun",
                metadata: ["error": "\(message)", "kept": "\(aside)"])
            for suffix in ["", "-wal", "-shm"] where access(path + suffix, F_OK) == 0 {
                try FileManager.default.moveItem(atPath: path + suffix, toPath: aside + suffix)
            }
            try Root.makePrivate(path)
            return try Store(path: path)
        }
    }

    func brokerFiles() throws -> BrokerFiles {
        BrokerFiles(root: try settings.root(), host: try settings.host(), listen: try settings.brokerListen())
    }

    /// How a command of this program reaches the broker.
    func clientOptions() throws -> BusOptions {
        let url = try settings.brokerURL() ?? brokerFiles().url(user: BrokerFiles.operatorUser)
        var options = BusOptions(broker: url, clientID: "orc-cli-\(UUID().uuidString.prefix(13))")
        options.version = try settings.mqttVersion()
        options.tls = settings.tlsFiles
        return options
    }
}

/// The folders below `<root>`.
enum Root {
    static func prepare(_ root: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let folder = try Folder(path: root)
        for name in ["servers", "backups"] { _ = try folder.makingFolder(name) }
        // The broker's user must pass through it; what is secret in it is closed by itself.
        let own = try folder.makingFolder("orc", mode: 0o711)
        _ = try own.makingFolder("broker", mode: 0o700)
        try makePrivate("\(root)/orc/orc.db")
    }

    /// SQLite gives its other files the rights of the first.
    static func makePrivate(_ path: String) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw RootLock.Failure.unusable(path) }
        close(file)
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
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure.unusable(path) }
        for _ in 0..<60 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { break }
        }
        close(descriptor)
        throw Failure.held(path)
    }

    func release() { close(descriptor) }
}
