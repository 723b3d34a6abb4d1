package import OrcEngine

extension EngineFailure {
    package init(_ error: DockerError) {
        let words = error.description
        switch error {
        case .unreachable: self = .unreachable(words)
        case .unsupported: self = .unsupported(words)
        case .timeout: self = .timeout(words)
        case .unreadable: self = .unreadable(words)
        case .failed: self = .other(words)
        case .refused(let status, let message): self = EngineErrorClassifier.failure(status: status, message: message)
        }
    }
}

/// Classifies the errors that Docker or Podman returns.
///
/// Docker returns no error codes beyond the HTTP status, so the text of the message is examined (Docker 20.10 to 28,
/// Podman 4).
enum EngineErrorClassifier {
    static func failure(status: Int, message: String) -> EngineFailure {
        // These may come from a proxy of the engine's socket, whose page may contain any text.
        if [401, 403, 405].contains(status) { return .denied(message) }
        let words = message.lowercased()
        if isPortInUse(words) { return .portInUse(message) }
        if lacksAddress(words) { return .addressMissing(message) }
        if words.contains("no space left on device") { return .noSpace(message) }
        if isStuck(words) { return .stuck(message) }
        if lacksProgram(words) { return .invalid(message) }
        switch status {
        case 404: return .notFound(message)
        case 409: return words.contains("already in use") ? .nameInUse(message) : .conflict(message)
        default: return status == 400 || isInvalidRequest(words) ? .invalid(message) : .other(message)
        }
    }

    /// Returns why a container did not start; `message`: the error in the container's state; nil if there is no error.
    static func startFailure(_ message: String?) -> StartFailure? {
        guard let words = message?.lowercased(), !words.isEmpty else { return nil }
        if isPortInUse(words) { return .portInUse }
        if lacksAddress(words) { return .addressMissing }
        if isStuck(words) { return .stuck }
        if words.contains("no such file or directory") || words.contains("not found") { return .commandNotFound }
        return .other
    }

    /// Classifies an error of creating a network; nil if the error does not concern the network's addresses.
    static func networkFailure(_ error: DockerError) -> EngineFailure? {
        guard case .refused(_, let message) = error else { return nil }
        let words = message.lowercased()
        if exhaustionWords.contains(where: words.contains) { return .addressPoolsExhausted(message) }
        if overlapWords.contains(where: words.contains) { return .subnetInUse(message) }
        return nil
    }

    private static let exhaustionWords = [
        "non-overlapping", "address pool", "no free subnet", "subnet pool", "pools have been fully subnetted",
    ]
    private static let overlapWords = ["overlaps", "already used", "already in use"]

    // The functions below expect lower-case text.

    /// True if an unfinished start left something behind in the engine that blocks every later start (moby 39630).
    private static func isStuck(_ words: String) -> Bool {
        words.hasPrefix("task ") && words.hasSuffix("already exists") || words.contains("container with id exists")
    }

    /// True if the program to start is missing from the image or not executable, which is an error in the plan.
    private static func lacksProgram(_ words: String) -> Bool {
        words.contains("exec: ")
            && ["no such file or directory", "not found", "permission denied"].contains { words.contains($0) }
    }

    private static func lacksAddress(_ words: String) -> Bool { words.contains("cannot assign requested address") }

    /// True if the engine or its container runtime (such as runc) rejects the request as invalid.
    private static func isInvalidRequest(_ words: String) -> Bool {
        [
            "runtime create failed", "invalid", "unable to find user", "must be in range", "unknown capability",
            "cannot mkdir", "cannot mount", "range of cpus", "no command specified", "not a directory", "can't be",
            "can't contain", "is not supported",
        ].contains { words.contains($0) }
    }

    private static func isPortInUse(_ words: String) -> Bool {
        words.contains("port is already allocated") || words.contains("address already in use")
    }
}
