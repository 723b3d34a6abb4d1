import FoundationEssentials
import OrcContract
import OrcCore
import OrcDocker

extension ContainerInspect.State {
    /// The state that an event of this container tells of: pure; nil where only an inspect can say.
    ///
    /// While the engine clears up after an end it lets nobody inspect the container, for as long as half a second in a
    /// burst; the event comes at once.
    func after(_ event: DockerEvent, sawOutOfMemory: Bool) -> ContainerInspect.State? {
        var next = self
        switch event.action {
        case "start":
            guard event.date >= (Timestamp.engineDate(finishedAt) ?? .distantPast) else { return nil }
            next.status = "running"
            next.startedAt = Timestamp.text(event.date)
            next.exitCode = 0
            next.error = nil
            // Heard after the look that found it: the process is still that of this run.
            let isKnown =
                status == "running"
                && abs(event.date.timeIntervalSince(Timestamp.engineDate(startedAt) ?? .distantPast)) < 1
            if !isKnown { next.processID = nil }
        case "die":
            // The end of an earlier run, heard late, says nothing of this one.
            guard event.date >= (Timestamp.engineDate(startedAt) ?? .distantPast),
                let exitCode = event.actor.attributes?["exitCode"].flatMap({ Int($0) })
            else { return nil }
            next.status = "exited"
            next.finishedAt = Timestamp.text(event.date)
            next.exitCode = exitCode
            next.isOOMKilled = sawOutOfMemory
            next.processID = nil
        case "pause": next.status = "paused"
        case "unpause": next.status = "running"
        default: return nil
        }
        return next
    }
}

extension DockerEvent {
    /// When it happened, by the engine's clock; rounded up to the millisecond that the engine's other times are cut to.
    var date: Date { Date(timeIntervalSince1970: (Double(timeNano) / 1e6).rounded(.up) / 1e3) }
}

extension Timestamp {
    /// A time as the engine writes it, with nanoseconds, which the date parser does not take; nil for its zero time.
    static func engineDate(_ text: String) -> Date? {
        guard !text.hasPrefix("0001-") else { return nil }
        guard let dot = text.firstIndex(of: "."), text.hasSuffix("Z") else { return date(text) }
        return date(text[..<dot] + "." + text[text.index(after: dot)...].dropLast().prefix(3) + "Z")
    }
}
