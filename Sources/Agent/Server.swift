import Docker
import FoundationEssentials
import Logging
import Peon
import Plans
import Store

/// All that the agent knows of one server.
struct Server: Sendable {
    let id: ServerID
    let folder: ServerFolder
    /// Nil for a container without a `config.json`, or with one that cannot be read.
    var config: ServerConfig?
    var container: ContainerDetail?
    var desired: Desired
    /// What the store has of it.
    var storedDesired: Desired?
    var activity: Activity?
    var step = Observation.Step.none
    var ending: Observation.Ending?
    /// The last signal by which somebody else would have ended it, and when.
    var externalSignal: (number: Int, at: Date)?
    /// Whether memory ran out for a process of the container in this run.
    var sawOutOfMemory = false
    var lostContainer = false
    /// Why the last start did not come about, until the next one.
    var failure: String?
    /// Whether the engine has been asked since the agent began.
    var isObserved = false
    /// Whether what is known of the container may be out of date.
    var needsLook = true
    var configReport: [StateReport.ConfigFile] = []

    // What has been said.
    var published: StateReport?
    var seq = 0
    /// Counts looks at the container, so that an answer that was overtaken is not believed.
    var looks = 0
    var lastLook = 0

    init(id: ServerID, folder: ServerFolder, config: ServerConfig?, desired: Desired) {
        self.id = id
        self.folder = folder
        self.config = config
        self.desired = desired
    }

    /// A server that was found: with the wish that is on the disk, and with the configuration in its folder.
    ///
    /// A `config.json` that cannot be read leaves it known, and is told.
    init(found folder: ServerFolder, wish: Store.Wish?, logger: Logger) {
        self.init(id: folder.server, folder: folder, config: nil, desired: .stopped)
        if case .desired(let stored)? = wish {
            desired = stored
            storedDesired = stored
        }
        do {
            config = try folder.config()
        } catch {
            logger.error(
                "a server's configuration cannot be read",
                metadata: ["server.id": "\(folder.server)", "error": "\(error)"])
        }
    }

    var isRunning: Bool { container?.state.status == "running" || container?.state.status == "paused" }

    private var rule: StateRule {
        guard isObserved else { return StateRule(.unknown, "engine_unreachable") }
        let rule = StateRule(
            Observation(
                container: container?.state, desired: desired, step: step, lostContainer: lostContainer, ending: ending,
                externalSignal: externalSignal?.number))
        if let failure, step == .none, rule.state == .stopped || rule.state == .missing {
            return StateRule(.failed, failure)
        }
        return rule
    }

    var report: StateReport {
        let rule = rule
        var report = StateReport(server: id, state: rule.state, desired: desired)
        report.reason = rule.reason
        report.activity = activity
        report.description = config?.description
        report.image = container?.config.image ?? config?.plan.image
        report.config = configReport
        report.ports = ports
        guard let container else { return report }
        report.containerState = container.state.status
        report.health = container.state.health?.status
        report.containerType = container.imageVariable("CONTAINER_TYPE")
        report.buildVersion = container.imageVariable("VERSION")
        report.since = steady(container.since, container.state.status)
        if container.state.status == "exited" || container.state.status == "created" && container.state.exitCode != 0 {
            report.exitCode = container.state.exitCode
            report.isOutOfMemory = container.state.isOOMKilled
        }
        return report
    }

    /// Takes over the container's state from an event, where it tells one; looks that began before count no more.
    mutating func take(_ event: EngineEvent) -> Bool {
        guard let state = container?.state.after(event, sawOutOfMemory: sawOutOfMemory) else { return false }
        container?.state = state
        // A signal that the game outlived for so long is not what ended it.
        if state.status == "exited", let signal = externalSignal, event.date.timeIntervalSince(signal.at) > 600 {
            externalSignal = nil
        }
        looks += 1
        lastLook = looks
        return true
    }

    /// The time as it was reported before, where it is the same to within what event and inspect differ by.
    private func steady(_ since: Date?, _ status: String) -> Date? {
        guard let since, let before = published?.since, published?.containerState == status,
            abs(since.timeIntervalSince(before)) < 2
        else { return since }
        return before
    }

    private var ports: [StateReport.Port] {
        if let config {
            return config.publishedPorts.map {
                .init(name: $0.name, number: $0.number, transport: $0.transport.rawValue)
            }
        }
        return container?.publishedPorts ?? []
    }
}

extension ContainerDetail {
    /// A variable of the container's environment, which holds the image's.
    func imageVariable(_ name: String) -> String? {
        let prefix = "\(name)="
        return config.environment?.last { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// When it last started, or ended where it does not run.
    var since: Date? {
        let text = state.status == "running" || state.status == "paused" ? state.startedAt : state.finishedAt
        return Timestamp.engineDate(text)
    }

    fileprivate var publishedPorts: [StateReport.Port] {
        (hostConfig.portBindings ?? [:]).sorted { $0.key < $1.key }.flatMap { key, bindings in
            (bindings ?? []).compactMap { binding in
                guard let number = Int(binding.hostPort), let slash = key.firstIndex(of: "/") else { return nil }
                return StateReport.Port(
                    name: "PORT", number: number, transport: String(key[key.index(after: slash)...]))
            }
        }
    }
}
