package import FoundationEssentials
package import OrcContract

/// The parts of the agent that schedules depend on, as closures, so that scheduling uses nothing else of the agent.
package struct SchedulingContext: Sendable {
    /// Returns the state of a server; nil if the server does not exist or was destroyed.
    package let server: @Sendable (ServerID) -> ScheduledServer?
    package let serversOfGame: @Sendable (String) -> [ServerID]
    package let isEngineReachable: @Sendable () -> Bool
    /// Passes the next start and stop of a server to its record.
    package let noteUpcoming: @Sendable (ServerID, ScheduleTable.Reading) -> Void
    package let report: @Sendable (ScheduleNews) -> Void

    package init(
        server: @escaping @Sendable (ServerID) -> ScheduledServer?,
        serversOfGame: @escaping @Sendable (String) -> [ServerID], isEngineReachable: @escaping @Sendable () -> Bool,
        noteUpcoming: @escaping @Sendable (ServerID, ScheduleTable.Reading) -> Void,
        report: @escaping @Sendable (ScheduleNews) -> Void
    ) {
        self.server = server
        self.serversOfGame = serversOfGame
        self.isEngineReachable = isEngineReachable
        self.noteUpcoming = noteUpcoming
        self.report = report
    }
}

/// Functions that carry out the steps of schedules as commands.
package struct ScheduledCommands: Sendable {
    /// Performs a command and returns its last reply; nil if the agent is stopping.
    ///
    /// `begin`: called just before the command takes effect; the command is not performed if it throws.
    package let perform: @Sendable (_ command: Command, _ begin: @escaping @Sendable () throws -> Void) async -> Reply?
    /// Records that a command was interrupted by the end of the agent.
    package let noteInterrupted: @Sendable (Command) -> Void
    /// Removes the secrets of a command's server from a text.
    package let redact: @Sendable (_ text: String, Command) -> String
    package let isStopping: @Sendable () -> Bool

    package init(
        perform: @escaping @Sendable (Command, @escaping @Sendable () throws -> Void) async -> Reply?,
        noteInterrupted: @escaping @Sendable (Command) -> Void,
        redact: @escaping @Sendable (String, Command) -> String, isStopping: @escaping @Sendable () -> Bool
    ) {
        self.perform = perform
        self.noteInterrupted = noteInterrupted
        self.redact = redact
        self.isStopping = isStopping
    }
}

/// The state of a server, as far as schedules depend on it.
package struct ScheduledServer: Sendable {
    package let isUp: Bool
    package let desired: DesiredState
    /// True if the agent is starting or stopping the server now, or is about to.
    package let isChanging: Bool
    /// Start time of the present or the last run.
    package let runStarted: Date?

    package init(isUp: Bool, desired: DesiredState, isChanging: Bool, runStarted: Date?) {
        self.isUp = isUp
        self.desired = desired
        self.isChanging = isChanging
        self.runStarted = runStarted
    }
}

/// Reports and events of schedules to be published.
package enum ScheduleNews: Sendable {
    /// The report published on `status/scheduler`.
    case scheduler(SchedulerReport)
    /// The report published on `status/server/<sid>/schedule`; of two, the one with the higher number is newer.
    case server(ServerID, ServerScheduleReport, number: Int)
    case event(EventReport)
}
