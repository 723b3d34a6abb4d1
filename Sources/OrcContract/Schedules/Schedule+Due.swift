package import FoundationEssentials
package import OrcCore

extension Schedule {
    /// One time at which a schedule is due.
    package struct Occurrence: Sendable, Equatable {
        /// The time at which the owner or the cron line set the run, without jitter.
        package let due: Date
        /// The time `due` with jitter added.
        package let at: Date
        /// Time of the first step; earlier than ``at`` if that step is a warning before the due time.
        package let start: Date
    }

    /// The decision on a schedule at one moment.
    package enum DueDecision: Sendable, Equatable {
        case never
        case wait(Occurrence)
        /// Run this occurrence; `after` is the first of the occurrences missed before it, nil if none was missed.
        case run(Occurrence, after: Occurrence?)
        /// Report this occurrence, the first that was missed, without running anything.
        case missed(Occurrence)
    }

    /// Returns the first occurrence after `date`.
    ///
    /// `zone`: the time zone of the cron line; nil if the zone cannot be read.
    package func occurrence(after date: Date, zone: TimeZoneRules?) -> Occurrence? {
        switch timing {
        case .once(let due): return due > date ? occurrence(at: due) : nil
        case .again(let cron, _):
            guard let zone else { return nil }
            let after = Int(date.timeIntervalSince1970.rounded(.down))
            return cron.next(after: after, in: zone).map { occurrence(at: Date(timeIntervalSince1970: Double($0))) }
        }
    }

    /// Returns the occurrence whose time without jitter is `due`.
    package func occurrence(at due: Date) -> Occurrence {
        let at = due.addingTimeInterval(delay(of: due))
        return Occurrence(
            due: due, at: at, start: at.addingTimeInterval(Double(min(steps.compactMap(\.offset).min() ?? 0, 0))))
    }

    /// Returns the jitter in seconds; the same schedule and due time always give the same value.
    private func delay(of due: Date) -> TimeInterval {
        guard jitter > 0 else { return 0 }
        let seed = "\(id) \(Int(due.timeIntervalSince1970))".utf8.fnv1a
        return Double(seed % UInt64(jitter * 1000 + 1)) / 1000
    }

    /// Decides what to do with the schedule at the time `now`.
    ///
    /// `handled`: time up to which every occurrence has been handled.
    ///
    /// `calledOff`: time up to which the owner has cancelled every occurrence; nil if none is cancelled.
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

    /// Returns the last occurrence between `start`, excluded, and `end`, included.
    ///
    /// Callers must keep `start` and `end` close together (at most the window for missed runs plus the jitter), because
    /// every occurrence between them is computed.
    private func last(from start: Date, to end: Date, _ zone: TimeZoneRules?) -> Occurrence? {
        var last: Occurrence?
        while let next = occurrence(after: last?.due ?? start, zone: zone), next.at <= end { last = next }
        return last
    }

    /// True if the schedule is due only once.
    package var isOnce: Bool { if case .once = timing { true } else { false } }

    /// Returns the time of `step` in `occurrence`, with jitter; nil if the step directly follows the one before.
    package func date(of step: Step, in occurrence: Occurrence) -> Date? {
        step.offset.map { occurrence.at.addingTimeInterval(Double($0)) }
    }
}
