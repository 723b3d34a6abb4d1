package import FoundationEssentials
package import OrcContract

/// The calls that the agent makes to a container platform.
///
/// Docker and Podman are behind `OrcDocker`'s `DockerEngine`.
///
/// Every call throws ``EngineFailure`` where the engine does not do what is asked, and has a deadline of its own. A
/// container is named by its id or its name.
package protocol ContainerEngine: Sendable {
    /// Agrees on a version of the engine's interface with the engine that answers now.
    func connect() async throws -> EngineVersion

    /// Returns when the engine answers, whatever it says.
    func ping() async throws

    /// What tells this run of the engine from earlier and later ones.
    func instance() async throws -> EngineInstance

    /// Follows the containers' events until the stream ends, which it does by throwing.
    ///
    /// `opened`: called when the stream stands, before its first event: a list that is taken then shows what happened
    /// before.
    ///
    /// `each`: called on the thread that reads, since in a burst each change of thread costs milliseconds.
    func events(opened: () async throws -> Void, each: (ContainerEvent) async throws -> Void) async throws

    /// All containers, running or not.
    func containers() async throws -> [ListedContainer]

    func inspect(_ container: String) async throws -> Container

    /// Makes a container from an image that is here, and returns the container's id.
    ///
    /// `memory`: bytes, where the specification does not say; nil without a limit.
    func create(_ spec: ContainerSpec, image: ImageInfo, memory: Int?) async throws -> String

    /// Starts a container; one that runs already is left alone.
    func start(_ container: String) async throws

    /// Sends the container's stop signal, waits `grace` seconds, then kills; one that is stopped is left alone.
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

    /// Removes a container with its anonymous volumes; a running one is refused.
    func remove(_ container: String) async throws

    /// Waits until a container does not run; false if it still runs after so many seconds.
    func wait(_ container: String, seconds: Int) async throws -> Bool

    /// Writes to the standard input of a container's first process.
    func write(_ bytes: [UInt8], toInputOf container: String) async throws

    /// The last lines of a container's log, the oldest first, in bounded size.
    ///
    /// `since`: only what was printed from then on.
    ///
    /// `deadline`: seconds.
    func lastLines(of container: String, count: Int, since: Date?, deadline: Int) async throws -> [String]

    /// Hands on what a container prints as it comes, until the container or the stream ends.
    func followLog(of container: String, since: Date, each: (ArraySlice<UInt8>) async throws -> Void) async throws

    /// As ``followLog(of:since:each:)``, in lines, with the time of the last one, after which another call goes on.
    func followLines(of container: String, since: Date, each: ([String], _ last: Date) -> Void) async throws

    /// One reading of what a container uses; nil if it does not run.
    ///
    /// `run`: the run that the reading belongs to.
    func usage(of container: String, run: String) async throws -> ResourceUsage?

    /// The engine's own document of two readings, about a second apart.
    func usageDocument(of container: String, run: String) async throws -> UsageDocument

    /// The image of that name; nil if there is none here.
    func image(_ name: String) async throws -> ImageInfo?

    /// Pulls an image, with the login that the agent's user has for its registry.
    ///
    /// `reference`: `name`, `name:tag` or `name@digest`; without a tag `latest`.
    ///
    /// `silence`: seconds without a word after which it is given up.
    func pull(_ reference: String, silence: Int, progress: (PullProgress) async throws -> Void) async throws

    /// The labels of a network; nil if there is none of that name.
    func networkLabels(_ name: String) async throws -> [String: String]?

    /// Makes a network.
    ///
    /// `subnet`: such as `10.1.2.0/28`; without it the engine takes one of its own address pools.
    func createNetwork(_ name: String, labels: [String: String], subnet: String?) async throws

    /// Removes a network; one that is gone already is no error.
    func removeNetwork(_ name: String) async throws

    /// The subnets of all networks, such as `172.17.0.0/16`.
    func subnets() async throws -> [String]
}

/// The versions that an engine tells of itself.
package struct EngineVersion: Sendable {
    package let version: String
    /// The version of its interface that is used.
    package let api: String?

    package init(version: String, api: String?) {
        self.version = version
        self.api = api
    }
}

/// One run of an engine, from its start to its end.
package struct EngineInstance: Sendable {
    package let id: String
    /// False where an engine may have been restarted without another id.
    package let isCertain: Bool

    package init(id: String, isCertain: Bool) {
        self.id = id
        self.isCertain = isCertain
    }
}

/// The engine's own document of a container's usage, and the two readings in it.
package struct UsageDocument: Sendable {
    /// JSON text, or whatever the engine answered.
    package let text: [UInt8]
    /// Nil if the container did not run, or the document cannot be read.
    package let now: ResourceUsage?
    /// The reading before; nil if there is none in it.
    package let earlier: ResourceUsage?

    package init(text: [UInt8], now: ResourceUsage?, earlier: ResourceUsage?) {
        self.text = text
        self.now = now
        self.earlier = earlier
    }
}
