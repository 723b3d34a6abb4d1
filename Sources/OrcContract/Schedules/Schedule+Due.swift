package import FoundationEssentials
package import OrcCore

extension Schedule {
    /// One time at which a schedule is due.
    package struct Occurrence: Sendable, Equatable {
        /// The time from the owner or the cron line, without jitter.
        package let due: Date
        /// The time with jitter added.
        package let at: Date
        /// Time of the first step, which may be a warning before ``at``.
        package let start: Date
    }

    /// The decision on a schedule at the present time.
    package enum DueDecision: Sendable, Equatable {
        case never
        case wait(Occurrence)
        /// Run this occurrence; `after`: the first of the missed ones before it, nil if there are none.
        case run(Occurrence, after: Occurrence?)
        /// Only report the first occurrence that was missed.
        case missed(Occurrence)
    }

    /// Returns the first occurrence after `date`; pure.
    ///
    /// `zone`: the time zone of the cron line; nil if it cannot be read.
    package func occurrence(after date: Date, zone: TimeZoneRules?) -> Occurrence? {
        switch timing {
        case .once(let due): return due > date ? occurrence(at: due) : nil
        case .again(let cron, _):
            guard let zone else { return nil }
            let after = Int(date.timeIntervalSince1970.rounded(.down))
            return cron.next(after: after, in: zone).map { occurrence(at: Date(timeIntervalSince1970: Double($0))) }
        }
    }

    /// Returns the occurrence that is due at `due`.
    package func occurrence(at due: Date) -> Occurrence {
        let at = due.addingTimeInterval(delay(of: due))
        return Occurrence(
            due: due, at: at, start: at.addingTimeInterval(Double(min(steps.compactMap(\.offset).min() ?? 0, 0))))
    }

    /// Returns the jitter in seconds, always the same for the same schedule and due time.
    private func delay(of due: Date) -> TimeInterval {
        guard jitter > 0 else { return 0 }
        let seed = "\(id) \(Int(due.timeIntervalSince1970))".utf8.fnv1a
        return Double(seed % UInt64(jitter * 1000 + 1)) / 1000
    }

    /// Decides what to do now, if every occurrence up to `handled` has been handled; pure.
    ///
    /// `calledOff`: the owner has cancelled every occurrence up to this time.
    package func verdict(
        handled: Date, calledOff: Date? = nil, now: Date, zone: TimeZoneRules?
    ) -> DueDecision {
        // If `handled` is more than a day ahead, the clock was wrong when it was stored, so `now` is used.
        let seen = handled > now.addingTimeInterval(86_400) ? now : handled
        let handled = max(seen, calledOff ?? seen)
        guard isEnabled, let first = occurrence(after: handled, zone: zone) else { return .never }
        if first.start > now { return .wait(first) }
        if now <= first.at.addingTimeInterval(Bound.lateness) { return .run(first, after: nil) }
        let reach: TimeInterval
        switch missed {
        case .skip: reach = Bound.lateness
        case .runOnce(let window): reach = max(Double(window), Bound.lateness)
        }
        guard let last = last(from: max(handled, now.addingTimeInterval(-reach - Double(jitter) - 1)), to: now, zone),
            now <= last.at.addingTimeInterval(reach)
        else { return .missed(first) }
        return .run(last, after: last.due > first.due ? first : nil)
    }

    /// Returns the last occurrence after `start` and up to `end`.
    ///
    /// Callers keep the two at most the window and the jitter apart, so that there are not many.
    private func last(from start: Date, to end: Date, _ zone: TimeZoneRules?) -> Occurrence? {
        var last: Occurrence?
        while let next = occurrence(after: last?.due ?? start, zone: zone), next.at <= end { last = next }
        return last
    }

    /// True if the schedule is due only once.
    package var isOnce: Bool { if case .once = timing { true } else { false } }

    /// Returns the time of `step` in `occurrence`, with jitter; nil if it follows the step before without a wait.
    package func date(of step: Step, in occurrence: Occurrence) -> Date? {
        step.offset.map { occurrence.at.addingTimeInterval(Double($0)) }
    }
}
