package import OrcContract
import OrcCore
package import OrcEngine

/// What a plan's `orc` object adds to a war plan.
package struct PlanOptions: Sendable, Equatable {
    package var stop = StopOptions()
    package var resources = ContainerResources()
    package var security = ContainerSecurity()
    package var ports: PlanPort.PortGroupMode?
    package var ready = Ready()
    package var restart = RestartPolicy()
    /// Whether a server that was wanted is started again after the engine or the machine was.
    package var autostarts = true
    /// What is said of each word that is not known; a plan with one is refused, a server that was made from it goes on.
    package var unknown: [String] = []

    /// How the game is asked to stop; what is nil is chosen from the image.
    package struct StopOptions: Sendable, Equatable {
        package var command: String?
        package var signal: StopSignal?
        package var signalsAll: Bool?
        /// Seconds before the server is killed.
        package var grace: Int?

        package init() {}
    }

    /// How it shows that players can come in.
    package struct Ready: Sendable, Equatable {
        /// A regular expression (PCRE2) that a line of the log matches.
        package var pattern: String?
        /// Seconds after which a server that is not ready counts as unready.
        package var timeout: Int?

        package init() {}
    }

    package init() {}

    init(_ value: JSON, file: String) throws(PlanError) {
        guard !value.isNull else { return }
        guard value != [] else { return }
        guard value.object != nil else { throw .malformed(file: file, what: "orc is not an object") }
        let reader = PlanOptionsParser(file: file)
        try reader.stop(value["stop"], into: &stop)
        try reader.resources(value["resources"], into: &resources)
        try reader.security(value["security"], into: &security)
        ports = try reader.word(value["ports"], "orc.ports", PlanPort.PortGroupMode.init)
        try reader.ready(value["ready"], into: &ready)
        try reader.restart(value["restart"], into: &restart)
        autostarts = try reader.autostarts(value["autostart"])
        unknown = Self.words.flatMap { place, words in reader.unknown(in: value, place, words) }.sorted()
    }

    /// The words of the object, and of the objects in it.
    private static let words: [String: Set<String>] = [
        "": ["stop", "resources", "security", "ports", "ready", "restart", "autostart"],
        "stop": ["command", "signal", "all", "grace"],
        "resources": ["memory", "disk", "cpus", "pids"],
        "security": ["user", "cap_drop", "cap_add", "no_new_privileges", "read_only", "tmp"],
        "ready": ["pattern", "timeout"],
        "restart": ["policy", "delay", "max_delay", "window", "reset", "limit"],
    ]
}
