package import FoundationEssentials
package import OrcCore

extension Schedule {
    /// One time at which it comes.
    package struct Occurrence: Sendable, Equatable {
        /// As the clock or the cron line has it.
        package let due: Date
        /// With its share of the jitter.
        package let at: Date
        /// When its first step is to be taken, which may be a warning.
        package let start: Date
    }

    /// What is to be done about it now.
    package enum Verdict: Sendable, Equatable {
        case never
        case wait(Occurrence)
        /// `after`: the first of those that were missed before it.
        case run(Occurrence, after: Occurrence?)
        /// Nothing but to tell of it: the first that was missed.
        case missed(Occurrence)
    }

    /// The first time that comes after `date`; pure.
    ///
    /// `zone`: that of its cron line; nil where it cannot be read.
    package func occurrence(after date: Date, zone: TimeZoneRules?) -> Occurrence? {
        switch timing {
        case .once(let due): return due > date ? occurrence(at: due) : nil
        case .again(let cron, _):
            guard let zone else { return nil }
            let after = Int(date.timeIntervalSince1970.rounded(.down))
            return cron.next(after: after, in: zone).map { occurrence(at: Date(timeIntervalSince1970: Double($0))) }
        }
    }

    /// The one that is due at `due`.
    package func occurrence(at due: Date) -> Occurrence {
        let at = due.addingTimeInterval(delay(of: due))
        return Occurrence(
            due: due, at: at, start: at.addingTimeInterval(Double(min(steps.compactMap(\.offset).min() ?? 0, 0))))
    }

    /// The share of the jitter: the same for the same time, however often it is asked for.
    private func delay(of due: Date) -> TimeInterval {
        guard jitter > 0 else { return 0 }
        let seed = "\(id) \(Int(due.timeIntervalSince1970))".utf8.fnv1a
        return Double(seed % UInt64(jitter * 1000 + 1)) / 1000
    }

    /// What is to be done now, where all until `handled` has been seen to; pure.
    ///
    /// `calledOff`: until when its owner does not want it.
    package func verdict(
        handled: Date, calledOff: Date? = nil, now: Date, zone: TimeZoneRules?
    ) -> Verdict {
        // A clock that was a day and more ahead was wrong: what was seen to by it says nothing.
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

    /// The last time between the two; none is so far apart that there are many.
    private func last(from start: Date, to end: Date, _ zone: TimeZoneRules?) -> Occurrence? {
        var last: Occurrence?
        while let next = occurrence(after: last?.due ?? start, zone: zone), next.at <= end { last = next }
        return last
    }

    /// Whether nothing comes after a time that has been seen to.
    package var isOnce: Bool { if case .once = timing { true } else { false } }

    /// When the step that was begun at `due`, with its jitter, is to be taken; nil: at once.
    package func date(of step: Step, in occurrence: Occurrence) -> Date? {
        step.offset.map { occurrence.at.addingTimeInterval(Double($0)) }
    }
}
