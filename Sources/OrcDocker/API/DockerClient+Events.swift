import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Something that happened to a container.
package struct DockerEvent: Decodable, Sendable {
    /// What happened, such as `start`, `die` or `health_status: healthy`.
    package let action: String
    package let actor: Actor
    /// Nanoseconds since 1970, by the engine's clock.
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

    /// Nil for what is of no interest.
    fileprivate var inDockersWords: DockerEvent? {
        let word = DockerClient.podmansWords[action] ?? action
        guard DockerClient.watched.contains(where: { word == $0 || word.hasPrefix("\($0):") }) else { return nil }
        return word == action ? self : DockerEvent(action: word, actor: actor, timeNano: timeNano)
    }
}

extension DockerClient {
    /// What changes a container's state; the rest (attach, exec, top) would only make noise.
    fileprivate static let watched: Set<String> = [
        "create", "start", "kill", "die", "oom", "pause", "unpause", "rename", "destroy", "health_status", "update",
    ]
    /// What Podman 4 calls some of them.
    fileprivate static let podmansWords = ["died": "die", "remove": "destroy"]

    /// Follows what happens to containers until the stream ends, which it does by throwing.
    ///
    /// `opened`: called when the stream stands, before its first event: what happened before shows in a list
    /// that is taken then, what happens after it comes here.
    ///
    /// `each` is called on the thread that reads: in a burst each change of thread costs milliseconds.
    package func events(opened: () async throws -> Void, each: (DockerEvent) async throws -> Void) async throws {
        // By their type alone: Podman has other words for some, and passes over a filter that names Docker's.
        struct Filters: Encodable { let type = ["container"] }
        let filters = String(decoding: try JSONEncoder().encode(Filters()), as: UTF8.self)
        let request = DockerRequest(.GET, "events", query: [("filters", filters)])
        try await lines(request, idle: nil, isUrgent: true, opened: opened) { line in
            guard let event = try? JSONDecoder().decode(DockerEvent.self, from: Data(line.readableBytesView)) else {
                return  // an event in a form that is not known yet; the next inspect shows what it did
            }
            if let known = event.inDockersWords { try await each(known) }
        }
        throw DockerError.unreachable("the event stream ended")
    }
}
