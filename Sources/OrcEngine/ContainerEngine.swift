package import FoundationEssentials
package import OrcContract

/// The calls that the agent makes to a container platform.
///
/// Docker and Podman are behind `OrcDocker`'s `DockerEngine`.
///
/// Every call throws ``EngineFailure`` if the engine does not carry it out, and has a deadline of its own. A container
/// is identified by its id or its name.
package protocol ContainerEngine: Sendable {
    /// Negotiates the API version with the running engine.
    func connect() async throws -> EngineVersion

    /// Returns when the engine answers, even if it refuses.
    func ping() async throws

    /// Returns the identity of the engine's present run.
    func instance() async throws -> EngineInstance

    /// Follows the containers' events until the stream ends; its end throws.
    ///
    /// `opened`: called when the stream is open, before its first event; a list requested then shows earlier changes.
    ///
    /// `each`: called on the reading thread, since in a burst each change of thread costs milliseconds.
    func events(opened: () async throws -> Void, each: (ContainerEvent) async throws -> Void) async throws

    /// Returns all containers, running or not.
    func containers() async throws -> [ListedContainer]

    func inspect(_ container: String) async throws -> Container

    /// Creates a container from a local image, and returns the container's id.
    ///
    /// `memory`: memory limit in bytes, used if the specification has none; nil without a limit.
    func create(_ spec: ContainerSpec, image: ImageInfo, memory: Int?) async throws -> String

    /// Starts a container; does nothing if it runs already.
    func start(_ container: String) async throws

    /// Sends the container's stop signal, waits `grace` seconds, then kills; does nothing if it is stopped.
    func stop(_ container: String, grace: Int) async throws

    /// Sends a signal to the container's first process.
    func signal(_ signal: StopSignal, _ container: String) async throws

    /// Sends a signal to every process in the container but the first.
    func signalAll(_ signal: StopSignal, in container: Container) async throws

    /// Kills the container's processes.
    func kill(_ container: String) async throws

    func pause(_ container: String) async throws
    func unpause(_ container: String) async throws
    func rename(_ container: String, to name: String) async throws

    /// Removes a container with its anonymous volumes; throws if it runs.
    func remove(_ container: String) async throws

    /// Waits until a container does not run; false if it still runs after `seconds`.
    func wait(_ container: String, seconds: Int) async throws -> Bool

    /// Writes to the standard input of a container's first process.
    func write(_ bytes: [UInt8], toInputOf container: String) async throws

    /// Returns the last lines of a container's log, oldest first, in bounded size.
    ///
    /// `since`: time before which lines are left out.
    ///
    /// `deadline`: seconds.
    func lastLines(of container: String, count: Int, since: Date?, deadline: Int) async throws -> [String]

    /// Passes on a container's output as it arrives, until the container or the stream ends.
    func followLog(of container: String, since: Date, each: (ArraySlice<UInt8>) async throws -> Void) async throws

    /// Follows the log as ``followLog(of:since:each:)`` does, but by lines.
    ///
    /// `last`: time of the last line, from which another call can continue.
    func followLines(of container: String, since: Date, each: ([String], _ last: Date) -> Void) async throws

    /// Returns one reading of a container's usage; nil if it does not run.
    ///
    /// `run`: the run that the reading belongs to.
    func usage(of container: String, run: String) async throws -> ResourceUsage?

    /// Returns the engine's own document with two readings, about a second apart.
    func usageDocument(of container: String, run: String) async throws -> UsageDocument

    /// Returns the local image of that name; nil if there is none.
    func image(_ name: String) async throws -> ImageInfo?

    /// Pulls an image, with the login that the agent's user has for its registry.
    ///
    /// `reference`: `name`, `name:tag` or `name@digest`; without a tag `latest`.
    ///
    /// `silence`: seconds without progress after which the pull is aborted.
    func pull(_ reference: String, silence: Int, progress: (PullProgress) async throws -> Void) async throws

    /// Returns the labels of a network; nil if there is no network of that name.
    func networkLabels(_ name: String) async throws -> [String: String]?

    /// Creates a network.
    ///
    /// `subnet`: such as `10.1.2.0/28`; if nil, the engine takes one from its own address pools.
    func createNetwork(_ name: String, labels: [String: String], subnet: String?) async throws

    /// Removes a network; does nothing if there is none.
    func removeNetwork(_ name: String) async throws

    /// Returns the subnets of all networks, such as `172.17.0.0/16`.
    func subnets() async throws -> [String]
}

/// The versions reported by an engine.
package struct EngineVersion: Sendable {
    package let version: String
    /// The API version in use.
    package let api: String?

    package init(version: String, api: String?) {
        self.version = version
        self.api = api
    }
}

/// One run of an engine, from its start to its end.
package struct EngineInstance: Sendable {
    package let id: String
    /// False if the id may stay the same after a restart of the engine.
    package let isCertain: Bool

    package init(id: String, isCertain: Bool) {
        self.id = id
        self.isCertain = isCertain
    }
}

/// The engine's document of a container's usage, and the two readings in it.
package struct UsageDocument: Sendable {
    /// The engine's answer, unchanged; normally JSON text.
    package let text: [UInt8]
    /// Nil if the container did not run, or the document cannot be read.
    package let now: ResourceUsage?
    /// The earlier reading; nil if the document has none.
    package let earlier: ResourceUsage?

    package init(text: [UInt8], now: ResourceUsage?, earlier: ResourceUsage?) {
        self.text = text
        self.now = now
        self.earlier = earlier
    }
}
