package import FoundationEssentials

/// The state of one container.
package struct ContainerState: Sendable, Equatable {
    package var phase: Phase
    /// Exit code of the last run; 0 before the first run and during a run.
    package var exitCode: Int
    /// True if a process of the container ran out of memory; nil if the engine does not report it.
    package var isOutOfMemory: Bool?
    /// Reason why the container did not start; nil if the engine reports no error.
    package var startFailure: StartFailure?
    package var startedAt: Date?
    package var finishedAt: Date?
    /// Result of the container's health check; nil if it has none.
    package var health: Health?
    /// Process id of the container's first process on the engine's host.
    ///
    /// 0 if the process does not run or is hidden; nil if the id is not known yet.
    package var processID: Int?

    package enum Phase: Sendable, Equatable, CustomStringConvertible {
        case created, running, paused, restarting, removing, exited, dead
        /// A state that the agent does not know, in the engine's words.
        case other(String)

        private static let known: [Phase] = [.created, .running, .paused, .restarting, .removing, .exited, .dead]

        package init(_ word: String) { self = Self.known.first { $0.description == word } ?? .other(word) }

        package var description: String {
            switch self {
            case .created: "created"
            case .running: "running"
            case .paused: "paused"
            case .restarting: "restarting"
            case .removing: "removing"
            case .exited: "exited"
            case .dead: "dead"
            case .other(let word): word
            }
        }

        /// True if the container's processes exist.
        package var isRunning: Bool { self == .running || self == .paused }
        /// True if the container's processes exist, or if the engine itself is about to restart the container.
        package var isUp: Bool { isRunning || self == .restarting }
    }

    package enum Health: String, Sendable { case starting, healthy, unhealthy }

    package init(
        _ phase: Phase, exitCode: Int = 0, isOutOfMemory: Bool? = nil, startFailure: StartFailure? = nil,
        startedAt: Date? = nil, finishedAt: Date? = nil, health: Health? = nil, processID: Int? = nil
    ) {
        self.phase = phase
        self.exitCode = exitCode
        self.isOutOfMemory = isOutOfMemory
        self.startFailure = startFailure
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.health = health
        self.processID = processID
    }

    /// Time when the current run began, or if the container is not running, when the last run ended.
    package var since: Date? { phase.isRunning ? startedAt : finishedAt }

    /// Returns the container's state after one of its events; nil if the event does not determine the state.
    ///
    /// This is faster than an inspect call: an event arrives at once, but the inspect call waits until the engine has
    /// cleaned up after the end of a run, which takes up to half a second in a burst.
    ///
    /// `sawOutOfMemory`: true if an earlier event of this run reported that memory ran out.
    package func after(_ event: ContainerEvent, sawOutOfMemory: Bool) -> ContainerState? {
        var next = self
        switch event.kind {
        case .started:
            guard event.at >= finishedAt ?? .distantPast else { return nil }
            next.phase = .running
            next.startedAt = event.at
            next.exitCode = 0
            next.startFailure = nil
            // The event arrived after an inspect of the same run: its process id is still valid.
            let isKnown =
                phase == .running && abs(event.at.timeIntervalSince(startedAt ?? .distantPast)) < 1
            if !isKnown { next.processID = nil }
        case .died(let exitCode?):
            // A late event about the end of an earlier run does not concern this one.
            guard event.at >= startedAt ?? .distantPast else { return nil }
            next.phase = .exited
            next.finishedAt = event.at
            next.exitCode = exitCode
            next.isOutOfMemory = sawOutOfMemory
            next.processID = nil
        case .paused: next.phase = .paused
        case .unpaused: next.phase = .running
        case .died(nil), .created, .signalled, .outOfMemory, .renamed, .removed, .healthChanged, .updated: return nil
        }
        return next
    }
}
