import FoundationEssentials
import NIOCore
import NIOHTTP1

/// An event of a container, as reported by the engine.
package struct DockerEvent: Decodable, Sendable {
    /// The kind of event, such as `start`, `die` or `health_status: healthy`.
    package let action: String
    package let actor: Actor
    /// Time of the event in nanoseconds since 1970, by the clock of the engine's host.
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

    /// The event with its kind named as in Docker.
    fileprivate var inDockersWords: DockerEvent {
        guard let word = DockerClient.podmansWords[action] else { return self }
        return DockerEvent(action: word, actor: actor, timeNano: timeNano)
    }
}

extension DockerClient {
    /// Translation of event kinds from the names that Podman 4 uses to Docker's names.
    fileprivate static let podmansWords = ["died": "die", "remove": "destroy"]

    /// Passes the events of all containers to `each` until the stream of events ends; then throws an error.
    ///
    /// `opened`: called when the stream is open, before its first event. A list of containers requested in `opened`
    /// includes all earlier changes; later changes arrive as events.
    ///
    /// `each`: called on the thread that reads the stream, because in a burst of events each thread switch costs
    /// milliseconds.
    package func events(opened: () async throws -> Void, each: (DockerEvent) async throws -> Void) async throws {
        // Filters by type only: Podman names some events differently, and ignores a filter with Docker's names.
        struct Filters: Encodable { let type = ["container"] }
        let filters = String(decoding: try JSONEncoder().encode(Filters()), as: UTF8.self)
        let request = DockerRequest(.GET, "events", query: [("filters", filters)])
        try await lines(request, idle: nil, isUrgent: true, opened: opened) { line in
            guard let event = try? JSONDecoder().decode(DockerEvent.self, from: Data(line.readableBytesView)) else {
                return  // an event in an unknown form; the next inspect shows its effect
            }
            try await each(event.inDockersWords)
        }
        throw DockerError.unreachable("the event stream ended")
    }
}
