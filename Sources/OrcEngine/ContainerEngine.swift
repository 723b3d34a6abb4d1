package import FoundationEssentials
package import OrcContract

/// The calls that the agent makes to a container platform.
///
/// `DockerEngine` of the module `OrcDocker` implements them for Docker and Podman.
///
/// Every call has its own deadline, and throws ``EngineFailure`` if the engine does not carry the call out. A container
/// is identified by its id or its name.
package protocol ContainerEngine: Sendable {
    /// Negotiates the API version with the running engine.
    func connect() async throws -> EngineVersion

    /// Returns as soon as the engine answers, even if the answer is an error.
    func ping() async throws

    /// Returns the identity of the engine's current run.
    func instance() async throws -> EngineInstance

    /// Calls `each` for every container event; throws when the event stream ends.
    ///
    /// `opened`: called when the stream is open, before its first event. If the containers are listed in this call, no
    /// change between the list and the first event is lost.
    ///
    /// `each`: called on the thread that reads, because in a burst each change of thread costs milliseconds.
    func events(opened: () async throws -> Void, each: (ContainerEvent) async throws -> Void) async throws

    /// Returns all containers, whether they run or not.
    func containers() async throws -> [ListedContainer]

    func inspect(_ container: String) async throws -> Container

    /// Creates a container from a local image, and returns the container's id.
    ///
    /// `memory`: memory limit in bytes that is used if the specification has none; nil for no limit.
    func create(_ spec: ContainerSpec, image: ImageInfo, memory: Int?) async throws -> String

    /// Starts a container; does nothing if the container is already running.
    func start(_ container: String) async throws

    /// Sends a container its stop signal, waits up to `grace` seconds, then kills it; does nothing if it is stopped.
    func stop(_ container: String, grace: Int) async throws

    /// Sends a signal to the container's first process.
    func signal(_ signal: StopSignal, _ container: String) async throws

    /// Sends a signal to every process in the container except the first.
    func signalAll(_ signal: StopSignal, in container: Container) async throws

    /// Kills the container's processes.
    func kill(_ container: String) async throws

    func pause(_ container: String) async throws
    func unpause(_ container: String) async throws
    func rename(_ container: String, to name: String) async throws

    /// Removes a container with its anonymous volumes; throws if the container is running.
    func remove(_ container: String) async throws

    /// Waits until a container no longer runs; returns false if it still runs after `seconds`.
    func wait(_ container: String, seconds: Int) async throws -> Bool

    /// Writes to the standard input of a container's first process.
    func write(_ bytes: [UInt8], toInputOf container: String) async throws

    /// Returns the last `count` lines of a container's log, oldest first; their total size is bounded.
    ///
    /// `since`: lines from before this time are left out; nil for no limit.
    ///
    /// `deadline`: maximum duration of the call in seconds.
    func lastLines(of container: String, count: Int, since: Date?, deadline: Int) async throws -> [String]

    /// Calls `each` with a container's output as it arrives, until the container or the stream ends.
    func followLog(of container: String, since: Date, each: (ArraySlice<UInt8>) async throws -> Void) async throws

    /// Calls `each` with the lines of a container's output as they arrive, until the container or the stream ends.
    ///
    /// `last`: time of the last line; a later call can continue from there.
    func followLines(of container: String, since: Date, each: ([String], _ last: Date) -> Void) async throws

    /// Returns a container's present resource usage; nil if the container is not running.
    ///
    /// `run`: identifies the container's run, and is stored in the result.
    func usage(of container: String, run: String) async throws -> ResourceUsage?

    /// Returns the engine's own usage document, which has two readings about a second apart.
    func usageDocument(of container: String, run: String) async throws -> UsageDocument

    /// Returns the local image called `name`; nil if there is none.
    func image(_ name: String) async throws -> ImageInfo?

    /// Pulls an image, logging in to its registry with the credentials of the agent's user.
    ///
    /// `reference`: `name`, `name:tag` or `name@digest`; without a tag, `latest` is pulled.
    ///
    /// `silence`: number of seconds without progress after which the pull is aborted.
    func pull(_ reference: String, silence: Int, progress: (PullProgress) async throws -> Void) async throws

    /// Returns the labels of the network called `name`; nil if there is none.
    func networkLabels(_ name: String) async throws -> [String: String]?

    /// Creates a network.
    ///
    /// `subnet`: the network's subnet, such as `10.1.2.0/28`; if nil, the engine chooses it from its address pools.
    func createNetwork(_ name: String, labels: [String: String], subnet: String?) async throws

    /// Removes the network called `name`; does nothing if there is none.
    func removeNetwork(_ name: String) async throws

    /// Returns the subnets of all networks, such as `172.17.0.0/16`.
    func subnets() async throws -> [String]
}

/// The versions that an engine reports.
package struct EngineVersion: Sendable {
    package let version: String
    /// The version of the engine's API in use.
    package let api: String?

    package init(version: String, api: String?) {
        self.version = version
        self.api = api
    }
}

/// Identifies one run of an engine, from the engine's start to its end.
package struct EngineInstance: Sendable {
    package let id: String
    /// True if the id always changes when the engine restarts; false if it may stay the same.
    package let isCertain: Bool

    package init(id: String, isCertain: Bool) {
        self.id = id
        self.isCertain = isCertain
    }
}

/// The engine's document on a container's resource usage, and the two readings parsed from the document.
package struct UsageDocument: Sendable {
    /// The engine's answer, unchanged; normally JSON text.
    package let text: [UInt8]
    /// The newer reading; nil if the container was not running, or if the document cannot be parsed.
    package let now: ResourceUsage?
    /// The earlier reading; nil if the document has none.
    package let earlier: ResourceUsage?

    package init(text: [UInt8], now: ResourceUsage?, earlier: ResourceUsage?) {
        self.text = text
        self.now = now
        self.earlier = earlier
    }
}
