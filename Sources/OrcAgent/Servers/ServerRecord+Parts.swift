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
        /// The desired state that is on the disk; nil if the owner has never said.
        var stored: DesiredState?
        /// True if the owner had the container removed and the files kept: until it is started again.
        var isDestroyed = false

        init(desired: DesiredState) { self.desired = desired }
    }

    /// The engine's view of the server.
    struct EngineView: Sendable {
        var container: Container?
        /// True if there was a container that went away without the agent's doing.
        var hasLostContainer = false
        /// True if the engine has been asked since the agent began.
        var isObserved = false
        /// True if what is known of the container may be out of date.
        var needsLook = true
        /// The number of the last look that was believed, so that an answer that was overtaken is not.
        var lastLook = 0
        /// Why the engine does not say how it is.
        var unseenReason: String?
        /// The last signal by which another user of the engine would have ended it, and when.
        var externalSignal: (number: Int, at: Date)?
        /// True if memory ran out for a process of the container in this run.
        var sawOutOfMemory = false
        /// Set if the engine has been restarted since the container was looked at.
        var engineRestart: EngineRestart?

        struct EngineRestart: Sendable {
            /// When the engine was lost; nil if the agent did not run then.
            let lostAt: Date?
        }
    }

    /// The present run, or the last.
    struct Run: Sendable {
        /// The start, by which one run is told from the next; nil before the first.
        var started: Date?
        var readiness = ServerObservation.Readiness.awaited
        /// The readiness without its health check.
        var readinessBesideHealth: ServerObservation.Readiness?
        /// The readiness of the run that an earlier run of the agent left on the disk.
        var keptReadiness: StateStore.Readiness?
        /// True if a task waits for this run to become ready.
        var isWatched = false
        /// True if the restart policy has judged the end of this run.
        var isEndJudged = false
        var history = RestartHistory()
    }

    /// The agent's operation on the server that is under way, or left to do.
    struct Operation: Sendable {
        var step = ServerObservation.Step.none
        var activity: Activity?
        /// How the agent ends the run, or ended the last.
        var ending: ServerObservation.Ending?
        /// On whose account the server is as it is.
        var cause = Cause.engine
        /// Why the last start failed, until the next one.
        var failure: String?
        /// The operation that an earlier run of the agent did not complete.
        var left: StateStore.PendingOperation?
        /// True if it is to be started again, since the end of the engine or the agent took it down or kept it there.
        var needsRestore = false
    }

    /// The reports that were published last.
    struct Published: Sendable {
        var state: StateReport?
        /// Counts the state reports.
        var seq = 0
        /// The next start and stop, as ``ServerRegistry`` was told last.
        var upcoming = ScheduleTable.Reading()
        /// The number of the reading of its schedules that was published.
        var schedules = 0
    }
}
