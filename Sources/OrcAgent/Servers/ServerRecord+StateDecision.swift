import OrcContract
import OrcEngine
import OrcPlans

/// Decides a server's state and its reason from the parts of its record.
///
/// The parts are combined into a ``ServerObservation``, from which one input of the state machine is derived; the state
/// machine returns the next state. ``ServerRegistry/update(_:_:)`` calls ``decideState()`` after every change.
extension ServerRecord {
    mutating func decideState() {
        if let reason = view.unseenReason { return react(to: .isUnseen(reason)) }
        guard view.isObserved, let input = observation.input else { return }
        react(to: input)
    }

    private var observation: ServerObservation {
        ServerObservation(
            container: view.container?.state, desired: intent.desired, step: operation.step,
            lostContainer: view.hasLostContainer, isDestroyed: intent.isDestroyed, ending: operation.ending,
            externalSignal: view.externalSignal?.number, failure: operation.failure, stayReason: stayReason,
            readiness: run.readiness, isNewRun: !run.isWatched, isNewEnd: !run.isEndJudged,
            judged: run.history.verdict)
    }

    private var stayReason: String? {
        if run.history.hasGivenUp { return "crash_loop" }
        return operation.ending == .engineRestarted && !options.autostarts ? "autostart_never" : nil
    }

    private mutating func react(to input: ServerInput) {
        let next = ServerStateMachine.next(condition, input)
        condition = next.condition
        effects += next.effects
        if next.effects.contains(.awaitReadiness) { run.isWatched = true }
        if case .ended(let end, isNew: true) = input {
            run.isEndJudged = true
            run.history.judgedEnd = view.container?.state.finishedAt
            run.history.verdict = end
        }
    }

    // The agent's own operations.

    /// Records that the agent begins to start or stop the server.
    mutating func begin(
        _ step: ServerObservation.Step, cause: Cause, ending: ServerObservation.Ending? = nil
    ) {
        operation.step = step
        operation.cause = cause
        operation.ending = ending
        operation.failure = nil
        view.externalSignal = nil
        switch step {
        case .none: break
        case .starting:
            intent.isDestroyed = false
            react(to: .starts)
        case .stopping: react(to: .stops)
        }
    }

    /// Records that the current operation has ended, with or without success.
    mutating func end(failure: String?) {
        operation.step = .none
        operation.activity = nil
        let isUp = view.container?.state.phase.isUp == true
        operation.failure = isUp ? nil : failure
        if isUp { operation.ending = nil }  // a stop that failed is not the cause of this run's end
    }
}
