package import OrcContract
import OrcCore
package import OrcEngine

/// The options of a plan's `orc` object, which PEON's war plans do not have.
package struct PlanOptions: Sendable, Equatable {
    package var stop = StopOptions()
    package var resources = ContainerResources()
    package var security = ContainerSecurity()
    package var ports: PlanPort.PortGroupMode?
    package var ready = Ready()
    package var restart = RestartPolicy()
    /// True if a server with the desired state running is started again after a restart of the engine or of the host.
    package var autostarts = true
    /// One message for each unknown key in the `orc` object.
    ///
    /// A plan with an unknown key is rejected, but servers that were already created from the plan still run.
    package var unknown: [String] = []

    /// The way to stop the game; if a member is nil, its value is chosen according to the image.
    package struct StopOptions: Sendable, Equatable {
        package var command: String?
        package var signal: StopSignal?
        package var signalsAll: Bool?
        /// Seconds that the game may take to stop before its server is killed.
        package var grace: Int?

        package init() {}
    }

    /// The condition under which a server counts as ready for players.
    package struct Ready: Sendable, Equatable {
        /// A regular expression (PCRE2) that matches a log line of a server that is ready.
        package var pattern: String?
        /// Seconds that a server may take to become ready; after this time, a server that is not ready counts as
        /// unready.
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

    /// The known keys of the `orc` object, which has the empty name here, and of its inner objects.
    private static let words: [String: Set<String>] = [
        "": ["stop", "resources", "security", "ports", "ready", "restart", "autostart"],
        "stop": ["command", "signal", "all", "grace"],
        "resources": ["memory", "disk", "cpus", "pids"],
        "security": ["user", "cap_drop", "cap_add", "no_new_privileges", "read_only", "tmp"],
        "ready": ["pattern", "timeout"],
        "restart": ["policy", "delay", "max_delay", "window", "reset", "limit"],
    ]
}
