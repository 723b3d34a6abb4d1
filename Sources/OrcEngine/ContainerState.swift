package import FoundationEssentials

/// The state of one container.
package struct ContainerState: Sendable, Equatable {
    package var phase: Phase
    /// Of the last run; 0 before the first one and while it runs.
    package var exitCode: Int
    /// True if memory ran out for a process of the container; nil if the engine does not say.
    package var isOutOfMemory: Bool?
    /// Why it never came to run.
    package var startFailure: StartFailure?
    package var startedAt: Date?
    package var finishedAt: Date?
    /// Nil without a health check.
    package var health: Health?
    /// The number of the first process on the engine's host; 0 if it does not run, nil if that is not known yet.
    package var processID: Int?

    package enum Phase: Sendable, Equatable, CustomStringConvertible {
        case created, running, paused, restarting, removing, exited, dead
        /// A word of the engine's that is not known here.
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
        /// True if it runs, or the engine is about to start it again by itself.
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

    /// When the present run began, or the last one ended.
    package var since: Date? { phase.isRunning ? startedAt : finishedAt }

    /// The state after an event of this container; nil if only an inspect can tell.
    ///
    /// While the engine clears up after an end it lets nobody inspect the container, for up to half a second in a burst;
    /// the event comes at once.
    ///
    /// `sawOutOfMemory`: whether an event of this run said that memory ran out.
    package func after(_ event: ContainerEvent, sawOutOfMemory: Bool) -> ContainerState? {
        var next = self
        switch event.kind {
        case .started:
            guard event.at >= finishedAt ?? .distantPast else { return nil }
            next.phase = .running
            next.startedAt = event.at
            next.exitCode = 0
            next.startFailure = nil
            // Heard after the look that found it: the process is still that of this run.
            let isKnown =
                phase == .running && abs(event.at.timeIntervalSince(startedAt ?? .distantPast)) < 1
            if !isKnown { next.processID = nil }
        case .died(let exitCode?):
            // The end of an earlier run, heard late, says nothing of this one.
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
