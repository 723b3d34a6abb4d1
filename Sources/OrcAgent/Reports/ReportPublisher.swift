import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import OrcScheduling

/// Sends the agent's reports and events; defines topic, quality of service and lifetime of each kind.
struct ReportPublisher: Sendable {
    private let topics: Topics
    private let link: RetainedPublisher

    /// Seconds for which the broker keeps an event for disconnected clients.
    private static let eventExpiry: UInt32 = 300

    /// A retained report other than ``AgentReport``, which the broker session publishes in an order of its own.
    enum Report {
        case info(InfoReport)
        case plans([PlansReport.Entry])
        case health(HealthReport)
        case host(HostReport)
        case servers([ServerID])
        case scheduler(SchedulerReport)
        case state(StateReport, number: Int)
        case availability(ServerID, AgentReport.OnlineState)
        case schedules(ServerID, ServerScheduleReport)
        /// Metrics of a server, which expire after `expiry` seconds.
        case metrics(ServerID, MetricsReport, expiry: UInt32)
    }

    enum Event {
        case server(ServerID, EventReport)
        case agent(EventReport)
        case scheduler(EventReport)
    }

    init(topics: Topics, link: RetainedPublisher) {
        self.topics = topics
        self.link = link
    }

    func publish(_ report: Report) {
        switch report {
        case .info(let report): retain(topics.status(.info), report.json)
        case .plans(let entries): retain(topics.status(.plans), PlansReport(entries).json)
        case .health(let report): retain(topics.status(.health), report.json, qos: .atMostOnce)
        case .host(let report): retain(topics.status(.host), report.json, qos: .atMostOnce)
        case .servers(let servers): retain(topics.status(.servers), ServersReport(servers).json)
        case .scheduler(let report): retain(topics.status(.scheduler), report.json)
        case .state(let report, let number):
            retain(topics.status(report.server, .state), report.json(seq: number, at: Date()))
        case .availability(let server, let state):
            retain(topics.status(server, .availability), AvailabilityReport(state).json)
        case .schedules(let server, let report): retain(topics.status(server, .schedule), report.json)
        case .metrics(let server, let report, let expiry):
            retain(topics.status(server, .metrics), report.json, qos: .atMostOnce, expiry: expiry)
        }
    }

    func announce(_ event: Event) {
        let (topic, report) =
            switch event {
            case .server(let server, let report): (topics.event(server), report)
            case .agent(let report): (topics.agentEvent, report)
            case .scheduler(let report): (topics.schedulerEvent, report)
            }
        var message = OutgoingMessage(topic, report.json.bytes)
        message.expiry = Self.eventExpiry
        link.emit(message)
    }

    /// Removes one report of a server from the broker.
    func clear(_ report: Topics.ServerReportKind, of server: ServerID) { link.clear(topics.status(server, report)) }

    /// Removes all reports of a server from the broker.
    func clearAll(of server: ServerID) {
        for report in Topics.ServerReportKind.allCases { clear(report, of: server) }
    }

    /// True if all removals have been sent to the broker.
    var isCleared: Bool { link.isCleared }

    /// Sends every retained report again.
    func republish() { link.republish() }

    private func retain(
        _ topic: String, _ json: JSON, qos: OutgoingMessage.QoS = .atLeastOnce, expiry: UInt32? = nil
    ) {
        var message = OutgoingMessage(topic, json.bytes, qos: qos, isRetained: true)
        message.expiry = expiry
        link.set(message)
    }
}
