import FoundationEssentials
import OrcEngine

extension ContainerEvent {
    /// Translates an event of the engine; nil for a kind of event that does not concern a container's state, such as attach, exec or top.
    init?(_ event: DockerEvent) {
        guard let kind = Kind(event) else { return nil }
        self.init(
            kind, container: event.actor.id, name: event.name, labels: event.actor.attributes ?? [:], at: event.date)
    }
}

extension ContainerEvent.Kind {
    fileprivate init?(_ event: DockerEvent) {
        func number(_ name: String) -> Int? { event.actor.attributes?[name].flatMap { Int($0) } }
        switch event.action {
        case "create": self = .created
        case "start": self = .started
        case "kill": self = .signalled(number("signal"))
        case "die": self = .died(exitCode: number("exitCode"))
        case "oom": self = .outOfMemory
        case "pause": self = .paused
        case "unpause": self = .unpaused
        case "rename": self = .renamed
        case "destroy": self = .removed
        case "update": self = .updated
        case let word where word.hasPrefix("health_status"): self = .healthChanged
        default: return nil
        }
    }
}

extension DockerEvent {
    /// Time of the event by the engine's clock, rounded up to a millisecond.
    ///
    /// The other times from the engine are truncated to a millisecond.
    fileprivate var date: Date { Date(timeIntervalSince1970: (Double(timeNano) / 1e6).rounded(.up) / 1e3) }
}
