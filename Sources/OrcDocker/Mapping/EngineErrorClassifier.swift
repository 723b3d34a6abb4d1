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

/// The meaning of Docker's refusals.
///
/// It gives no codes beyond the HTTP status, so its words must do (Docker 20.10 to 28, Podman 4).
enum EngineErrorClassifier {
    static func failure(status: Int, message: String) -> EngineFailure {
        // A proxy of its socket may put anything into its page.
        if [401, 403, 405].contains(status) { return .denied(message) }
        let words = message.lowercased()
        if isPortInUse(words) { return .portInUse(message) }
        if lacksAddress(words) { return .addressMissing(message) }
        if words.contains("no space left on device") { return .noSpace(message) }
        if isStuck(words) { return .stuck(message) }
        if asksForWhatIsNot(words) { return .invalid(message) }
        switch status {
        case 404: return .notFound(message)
        case 409: return words.contains("already in use") ? .nameInUse(message) : .conflict(message)
        default: return status == 400 || cannotBeMade(words) ? .invalid(message) : .other(message)
        }
    }

    /// The reason in the state of a container that never came to run; nil where there is none.
    static func startFailure(_ message: String?) -> StartFailure? {
        guard let words = message?.lowercased(), !words.isEmpty else { return nil }
        if isPortInUse(words) { return .portInUse }
        if lacksAddress(words) { return .addressMissing }
        if isStuck(words) { return .stuck }
        if words.contains("no such file or directory") || words.contains("not found") { return .commandNotFound }
        return .other
    }

    /// A refusal to make a network; nil for one that has nothing to do with addresses.
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

    // All take words in small letters.

    /// True if what the engine began before it was ended is in the way of every later start (moby 39630).
    private static func isStuck(_ words: String) -> Bool {
        words.hasPrefix("task ") && words.hasSuffix("already exists") || words.contains("container with id exists")
    }

    /// True if the image has no such program: the plan is to be mended, not the agent.
    private static func asksForWhatIsNot(_ words: String) -> Bool {
        words.contains("exec: ")
            && ["no such file or directory", "not found", "permission denied"].contains { words.contains($0) }
    }

    private static func lacksAddress(_ words: String) -> Bool { words.contains("cannot assign requested address") }

    /// True if the engine, or the runtime of its containers, calls what was asked for nonsense.
    private static func cannotBeMade(_ words: String) -> Bool {
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
