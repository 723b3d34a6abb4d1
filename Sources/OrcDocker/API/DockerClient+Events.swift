import FoundationEssentials
import NIOCore
import NIOHTTP1

/// An event of a container.
package struct DockerEvent: Decodable, Sendable {
    /// The kind of event, such as `start`, `die` or `health_status: healthy`.
    package let action: String
    package let actor: Actor
    /// Time in nanoseconds since 1970, by the engine's clock.
    package let timeNano: Int

    package struct Actor: Decodable, Sendable {
        package let id: String
        package let attributes: [String: String]?

        enum CodingKeys: String, CodingKey {
            case id = "ID"
            case attributes = "Attributes"
        }
    }

    enum CodingKeys: String, CodingKey {
        case action = "Action"
        case actor = "Actor"
        case timeNano
    }

    package var name: String? { actor.attributes?["name"] }

    /// The event with Docker's name for its kind; nil for a kind that is not watched.
    fileprivate var inDockersWords: DockerEvent? {
        let word = DockerClient.podmansWords[action] ?? action
        guard DockerClient.watched.contains(where: { word == $0 || word.hasPrefix("\($0):") }) else { return nil }
        return word == action ? self : DockerEvent(action: word, actor: actor, timeNano: timeNano)
    }
}

extension DockerClient {
    /// Kinds of events that change a container's state; others (attach, exec, top) are ignored.
    fileprivate static let watched: Set<String> = [
        "create", "start", "kill", "die", "oom", "pause", "unpause", "rename", "destroy", "health_status", "update",
    ]
    /// Podman 4's names for kinds that Docker names differently.
    fileprivate static let podmansWords = ["died": "die", "remove": "destroy"]

    /// Follows the events of containers until the stream ends, which throws an error.
    ///
    /// `opened`: called when the stream is open, before its first event. A list taken then includes all earlier
    /// changes; later changes arrive as events.
    ///
    /// `each`: called on the thread that reads, because in a burst each change of thread costs milliseconds.
    package func events(opened: () async throws -> Void, each: (DockerEvent) async throws -> Void) async throws {
        // Filters by type only: Podman names some events differently, and ignores a filter with Docker's names.
        struct Filters: Encodable { let type = ["container"] }
        let filters = String(decoding: try JSONEncoder().encode(Filters()), as: UTF8.self)
        let request = DockerRequest(.GET, "events", query: [("filters", filters)])
        try await lines(request, idle: nil, isUrgent: true, opened: opened) { line in
            guard let event = try? JSONDecoder().decode(DockerEvent.self, from: Data(line.readableBytesView)) else {
                return  // an event in an unknown form; the next inspect shows its effect
            }
            if let known = event.inDockersWords { try await each(known) }
        }
        throw DockerError.unreachable("the event stream ended")
    }
}
