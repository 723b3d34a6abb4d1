import FoundationEssentials
import NIOCore
import NIOHTTP1

/// The engine's description of an image: the response to inspecting the image.
package struct ImageInspect: Decodable, Sendable {
    package let id: String
    package let config: Config?

    /// True if this is one of PEON's images, which all set the environment variable `CONTAINER_TYPE`.
    package var isPeons: Bool { config?.environment?.contains { $0.hasPrefix("CONTAINER_TYPE=") } ?? false }

    package struct Config: Decodable, Sendable {
        package let environment: [String]?

        enum CodingKeys: String, CodingKey {
            case environment = "Env"
        }
    }

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case config = "Config"
    }
}

/// One line of the progress that the engine reports while it pulls an image.
package struct PullLine: Decodable, Sendable {
    package let status: String?
    package let id: String?
    package let detail: Detail?
    package let error: String?

    package struct Detail: Decodable, Sendable {
        package let current: Int?
        package let total: Int?
    }

    enum CodingKeys: String, CodingKey {
        case status, id, error
        case detail = "progressDetail"
    }
}

extension DockerClient {
    /// Returns the engine's description of an image; nil if the engine has no image of that name.
    package func image(_ name: String) async throws -> ImageInspect? {
        do {
            return try await decoded(ImageInspect.self, DockerRequest(.GET, "images", name, "json"))
        } catch DockerError.refused(status: 404, _) {
            return nil
        }
    }

    /// Pulls an image.
    ///
    /// A pull that fails after it has begun has the HTTP status 200 and reports the failure in its last line.
    ///
    /// `reference`: `name`, `name:tag` or `name@digest`; without a tag `latest`.
    ///
    /// `silence`: seconds without a progress line after which the pull is aborted.
    ///
    /// `login`: credentials for the image's registry, in the engine's format of `X-Registry-Auth`.
    package func pull(
        _ reference: String, login: String? = nil, silence: Int, progress: (PullLine) async throws -> Void
    ) async throws {
        let (name, tag) = Self.split(reference)
        var request = DockerRequest(.POST, "images", "create", query: [("fromImage", name), ("tag", tag)])
        request.deadline = .seconds(Int64(silence))
        if let login { request.headers.append(("X-Registry-Auth", login)) }
        try await lines(request, idle: .seconds(Int64(silence))) { line in
            guard let update = try? JSONDecoder().decode(PullLine.self, from: Data(line.readableBytesView)) else {
                return  // a line in an unknown form is not a failure
            }
            if let error = update.error { throw DockerError.failed(error) }
            try await progress(update)
        }
    }

    /// Splits an image reference into name and tag (or digest); the tag is `latest` if the reference has none.
    ///
    /// The engine pulls every tag of the name if the request has no tag.
    static func split(_ reference: String) -> (name: String, tag: String) {
        if let at = reference.firstIndex(of: "@") {
            return (String(reference[..<at]), String(reference[reference.index(after: at)...]))
        }
        let lastSlash = reference.lastIndex(of: "/") ?? reference.startIndex
        guard let colon = reference[lastSlash...].lastIndex(of: ":") else { return (reference, "latest") }
        return (String(reference[..<colon]), String(reference[reference.index(after: colon)...]))
    }
}
