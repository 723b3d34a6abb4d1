package import FoundationEssentials
package import OrcCore

/// Decides whether and when to restart a server whose run ended without a request; has no side effects.
package struct RestartPolicy: Sendable, Equatable {
    package var mode = Mode.onFailure
    /// Seconds before the first restart; the wait is doubled for each further restart.
    package var delay: Double = 5
    /// Longest wait before a restart, in seconds.
    package var longestDelay: Double = 300
    /// Number of restarts within ``window`` after which the server is not restarted again.
    package var limit = 5
    /// Length of the period in which restarts are counted, in seconds.
    package var window: Double = 600
    /// Minimum duration of a run, in seconds, after which earlier crashes are forgotten.
    package var goodRun: Double = 600

    package enum Mode: String, Sendable, CaseIterable {
        case never
        case onFailure = "on_failure"
        /// Restarts also after a clean exit that was not requested.
        case always
    }

    package init() {}

    /// The end of a run that the agent did not request.
    package struct End: Sendable, Equatable {
        package let isFailure: Bool
        /// Duration of the run, in seconds.
        package let lasted: Double

        package init(isFailure: Bool, lasted: Double) {
            self.isFailure = isFailure
            self.lasted = lasted
        }
    }

    package enum Decision: Sendable, Equatable {
        case stayDown
        case restart(at: Date)
        /// The server crashed too often and is not restarted.
        case giveUp
    }

    /// Returns the decision after the end of a run, and the new history, which the caller must store.
    package func decide(on end: End, after history: RestartHistory, now: Date) -> (Decision, RestartHistory) {
        var history = end.lasted >= goodRun ? history.forgiven : history
        history.retryAt = nil
        switch mode {
        case .never: return (.stayDown, history)
        case .onFailure where !end.isFailure: return (.stayDown, history)
        case .onFailure, .always: break
        }
        history.times.removeAll { now.timeIntervalSince($0) >= window }
        guard history.times.count < limit else {
            history.hasGivenUp = true
            return (.giveUp, history)
        }
        let date = now.addingTimeInterval(wait(before: history.restarts))
        history.hasGivenUp = false
        history.times.append(now)
        history.restarts += 1
        history.retryAt = date
        return (.restart(at: date), history)
    }

    /// Returns the seconds to wait before the next restart, if there were `restarts` restarts before.
    private func wait(before restarts: Int) -> Double {
        var wait = delay
        for _ in 0..<restarts where wait < longestDelay { wait *= 2 }
        return min(wait, longestDelay)
    }
}

/// The history of a server's crashes, which is stored so that a restart of the agent does not lose it.
package struct RestartHistory: Sendable, Equatable {
    /// Number of restarts since the last run that was long enough, including a pending restart.
    package var restarts = 0
    /// Times at which the policy decided to restart the server, within the policy's window.
    package var times: [Date] = []
    package var hasGivenUp = false
    package var retryAt: Date?
    /// Time of the last run end that the agent has classified; the result is ``verdict``.
    package var judgedEnd: Date?
    package var verdict: ServerInput.RunEnd?

    package init() {}

    /// A copy without past crashes, for use after a request of the owner or a long enough run.
    ///
    /// It keeps the last classified end of a run.
    package var forgiven: RestartHistory {
        var history = RestartHistory()
        history.judgedEnd = judgedEnd
        history.verdict = verdict
        return history
    }

    package var json: JSON {
        [
            "restarts": .optional(restarts), "times": .array(times.map(Timestamp.json)), "given_up": .bool(hasGivenUp),
            "retry_at": Timestamp.json(retryAt), "judged_end": Timestamp.json(judgedEnd),
            "verdict": verdict?.json ?? .null,
        ]
    }

    package init?(_ json: JSON) {
        guard let restarts = json["restarts"]?.int, let times = json["times"]?.array,
            let hasGivenUp = json["given_up"]?.bool
        else { return nil }
        self.restarts = restarts
        self.times = times.compactMap(Timestamp.date)
        self.hasGivenUp = hasGivenUp
        retryAt = json["retry_at"].flatMap(Timestamp.date)
        judgedEnd = json["judged_end"].flatMap(Timestamp.date)
        verdict = json["verdict"].flatMap(ServerInput.RunEnd.init)
    }
}

extension ServerInput.RunEnd {
    fileprivate var json: JSON {
        switch self {
        case .stopped(let reason): ["kind": "stopped", "reason": .optional(reason)]
        case .crashed(let reason): ["kind": "crashed", "reason": .string(reason)]
        case .failed(let reason): ["kind": "failed", "reason": .string(reason)]
        }
    }

    fileprivate init?(_ json: JSON) {
        let reason = json["reason"]?.string
        switch json["kind"]?.string {
        case "stopped": self = .stopped(reason)
        case "crashed": self = .crashed(reason ?? "")
        case "failed": self = .failed(reason ?? "")
        default: return nil
        }
    }
}
