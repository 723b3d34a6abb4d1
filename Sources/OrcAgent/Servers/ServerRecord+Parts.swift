import FoundationEssentials
import OrcContract
import OrcEngine
import OrcScheduling
import OrcStorage

/// The parts of a server's record, besides its identity.
extension ServerRecord {
    /// The owner's intent.
    struct Intent: Sendable {
        var desired: DesiredState
        /// The desired state that is on the disk; nil if the owner has never set one.
        var stored: DesiredState?
        /// True if the container was removed at the owner's request with the files kept, until the next start.
        var isDestroyed = false

        init(desired: DesiredState) { self.desired = desired }
    }

    /// The engine's view of the server.
    struct EngineView: Sendable {
        var container: Container?
        /// True if the container was removed, but not by the agent.
        var hasLostContainer = false
        /// True if the container has been inspected since the agent's start.
        var isObserved = false
        /// True if the container must be inspected again, because its known state may be outdated.
        var needsLook = true
        /// Number of the last accepted inspection of the container; results of earlier inspections are ignored.
        var lastLook = 0
        /// Reason why the engine does not report the container's state; nil if it does.
        var unseenReason: String?
        /// The first signal meant to end the server that another client of the engine sent, and its time.
        ///
        /// A later signal replaces it after ``ServerRecord/signalLifetime``.
        var externalSignal: (number: Int, at: Date)?
        /// True if a process of the container ran out of memory in this run.
        var sawOutOfMemory = false
        /// Set if the engine has been restarted since the container was last inspected.
        var engineRestart: EngineRestart?

        struct EngineRestart: Sendable {
            /// Time when the engine was lost; nil if the agent did not run then.
            let lostAt: Date?
        }
    }

    /// The present run, or the last one.
    struct Run: Sendable {
        /// Time of the start, which identifies the run; nil before the first run.
        var started: Date?
        var readiness = ServerObservation.Readiness.awaited
        /// The readiness that applied before the health check reported `unhealthy`.
        var readinessBesideHealth: ServerObservation.Readiness?
        /// The readiness of a run that an earlier run of the agent has stored.
        var keptReadiness: StateStore.Readiness?
        /// True if the readiness check of this run has begun.
        var isWatched = false
        /// True if the restart policy has been applied to the end of this run.
        var isEndJudged = false
        var history = RestartHistory()
    }

    /// The agent's operations on the server: the current one, and the one that an earlier run of the agent left.
    struct Operation: Sendable {
        var step = ServerObservation.Step.none
        var activity: Activity?
        /// The way in which the agent ends the present run, or ended the last one.
        var ending: ServerObservation.Ending?
        /// Cause of the server's present state.
        var cause = Cause.engine
        /// Reason for the failure of the last start, until the next start.
        var failure: String?
        /// The operation that an earlier run of the agent did not complete.
        var left: StateStore.PendingOperation?
        /// True if the server must be started again because the engine or the agent ended.
        var needsRestore = false
    }

    /// The reports that were published last.
    struct Published: Sendable {
        var state: StateReport?
        /// Number of published state reports.
        var seq = 0
        /// The server's next start and stop, as last read from the schedule table.
        var upcoming = ScheduleTable.Reading()
        /// Number of the last published report of the server's schedules; reports with lower numbers are outdated.
        var schedules = 0
    }
}
