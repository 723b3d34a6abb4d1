package import FoundationEssentials
package import OrcCore

/// When a server that went down by itself is started again: pure.
package struct RestartPolicy: Sendable, Equatable {
    package var mode = Mode.onFailure
    /// Seconds before the first restart; doubled for each one after it.
    package var delay: Double = 5
    /// Seconds that no wait exceeds.
    package var longestDelay: Double = 300
    /// Restarts within ``window`` after which it stays down.
    package var limit = 5
    /// Seconds.
    package var window: Double = 600
    /// Seconds that a run must last for what was before to be forgotten.
    package var goodRun: Double = 600

    package enum Mode: String, Sendable, CaseIterable {
        case never
        case onFailure = "on_failure"
        /// Also after an end in order that nobody asked for.
        case always
    }

    package init() {}

    /// The end of a run that nobody had asked the agent for.
    package struct End: Sendable, Equatable {
        package let isFailure: Bool
        /// How long the run had lasted, in seconds.
        package let lasted: Double

        package init(isFailure: Bool, lasted: Double) {
            self.isFailure = isFailure
            self.lasted = lasted
        }
    }

    package enum Decision: Sendable, Equatable {
        case stayDown
        case restart(at: Date)
        /// It has crashed too often.
        case giveUp
    }

    /// What follows from an end; the history afterwards is to be kept.
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

    /// Seconds before the restart that comes after `restarts` others.
    private func wait(before restarts: Int) -> Double {
        var wait = delay
        for _ in 0..<restarts where wait < longestDelay { wait *= 2 }
        return min(wait, longestDelay)
    }
}

/// What is remembered of a server's crashes, across the death of the agent.
package struct RestartHistory: Sendable, Equatable {
    /// Restarts since the last good run, the coming one counted.
    package var restarts = 0
    /// When the policy decided on each restart within its window.
    package var times: [Date] = []
    package var hasGivenUp = false
    package var retryAt: Date?
    /// The end that was judged last, by its time, and what it came to.
    package var judgedEnd: Date?
    package var verdict: ServerInput.Verdict?

    package init() {}

    /// A copy that knows no more than which end was judged: its owner has taken the server in hand.
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
        verdict = json["verdict"].flatMap(ServerInput.Verdict.init)
    }
}

extension ServerInput.Verdict {
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
