import Glibc
package import OrcContract
import OrcCore
import OrcDocker
import OrcPlans
import OrcStorage

/// Why an action did not do what was asked: one wire code, and words for people.
package struct ActionError: Error, CustomStringConvertible {
    package let code: Reply.Code
    package let description: String

    init(_ code: Reply.Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// The one place where a room's error becomes a wire code.
    init(_ error: any Error) {
        switch error {
        case let error as ActionError: self = error
        case let error as PlanError: self.init(Self.code(error), error.description)
        case let error as DockerError: self.init(Self.code(error), Self.words(error))
        case is CancellationError: self.init(.superseded, "a later command took its place")
        case let error as StorageError: self.init(error.isFull ? .noSpace : .internal, error.description)
        default: self.init(.internal, "\(error)")
        }
    }

    /// Whether another attempt may do without anybody's mending anything: a port that a neighbour holds, a registry that is
    /// away, an engine that is slow.
    var mayPass: Bool { [.portInUse, .pullFailed, .timeout, .noSpace].contains(code) }

    private static func code(_ error: PlanError) -> Reply.Code {
        switch error {
        case .unknownPlan: .unknownPlan
        case .missingSettings: .missingSettings
        case .unknownSettings, .badSetting: .badArguments
        case .exists: .exists
        case .unknownServer: .unknownServer
        case .unsafePath, .unsafeMount, .excess, .mount, .tooDeep: .unsafeEntry
        case .noSpace: .noSpace
        case .malformed: .badPlan
        case .file(_, let errno, _): code(errno: errno)
        }
    }

    /// The owner mends what stands in the way in a server's folder; a failure of the disk itself is nobody's fault.
    private static func code(errno: Int32) -> Reply.Code {
        switch errno {
        case EISDIR, ENOTDIR, ENAMETOOLONG, ELOOP, EINVAL: .badArguments
        case EPERM, EACCES, EROFS, ENOTEMPTY, EBUSY, EEXIST, ENOENT: .conflict
        case EINTR: .interrupted  // the agent is stopping; what is left of a folder goes when it is back
        default: .internal
        }
    }

    /// The engine's own words, and what to do where they would leave their reader at a loss.
    private static func words(_ error: DockerError) -> String {
        guard case .refused(_, let message) = error, EngineErrorClassifier.isStuck(message.lowercased()) else {
            return error.description
        }
        return """
            \(error.description): the engine was ended amid a start and can start this container no more; \
            `destroy` and then `start` makes another of the same files
            """
    }

    private static func code(_ error: DockerError) -> Reply.Code {
        switch error {
        case .unreachable, .unsupported: .engineUnreachable
        case .timeout: .timeout
        case .failed, .unreadable: .internal
        case .refused(let status, let message): EngineErrorClassifier.code(status: status, message: message)
        }
    }
}

/// What the engine's refusals mean.
///
/// It gives no codes beyond the HTTP status, so its words must do (Docker 20.10 to 28).
enum EngineErrorClassifier {
    static func code(status: Int, message: String) -> Reply.Code {
        let words = message.lowercased()
        if isPortInUse(words) || lacksAddress(words) { return .portInUse }
        if words.contains("no space left on device") { return .noSpace }
        if isStuck(words) { return .conflict }
        if asksForWhatIsNot(words) { return .badPlan }
        if status == 409 { return words.contains("already in use") ? .nameConflict : .conflict }
        // Something before the engine, such as a proxy of its socket, does not let the call through.
        if [401, 403, 405].contains(status) { return .conflict }
        return status == 400 || cannotBeMade(words) ? .badPlan : .internal
    }

    /// The reason for a container that never came to run.
    static func reason(ofStartError message: String) -> String {
        let words = message.lowercased()
        if isPortInUse(words) { return "port_in_use" }
        if lacksAddress(words) { return "bad_bind_address" }
        if isStuck(words) { return "conflict" }
        if words.contains("no such file or directory") || words.contains("not found") { return "command_not_found" }
        return "start_failed"
    }

    /// Whether what the engine began before it was ended is in the way of every later start (moby 39630).
    ///
    /// `words`: in small letters.
    static func isStuck(_ words: String) -> Bool {
        words.hasPrefix("task ") && words.hasSuffix("already exists") || words.contains("container with id exists")
    }

    /// Whether the engine has no room for another network in its address pools.
    static func hasNoAddresses(_ error: DockerError) -> Bool {
        guard case .refused(_, let message) = error else { return false }
        return ["non-overlapping", "address pool", "no free subnet", "subnet pool", "pools have been fully subnetted"]
            .contains { message.lowercased().contains($0) }
    }

    /// Whether another network has the addresses that were asked for.
    static func overlaps(_ error: DockerError) -> Bool {
        guard case .refused(_, let message) = error else { return false }
        return ["overlaps", "already used", "already in use"].contains { message.lowercased().contains($0) }
    }

    /// Whether the image has no such program: the plan is to be mended, not the agent.
    private static func asksForWhatIsNot(_ words: String) -> Bool {
        words.contains("exec: ")
            && ["no such file or directory", "not found", "permission denied"].contains { words.contains($0) }
    }

    /// Whether the machine has no such address as a port is to be bound to; it may come, as that of a tunnel does.
    ///
    /// `words`: in small letters.
    static func lacksAddress(_ words: String) -> Bool { words.contains("cannot assign requested address") }

    /// Whether the engine, or what runs its containers, calls what was asked for nonsense.
    private static func cannotBeMade(_ words: String) -> Bool {
        [
            "runtime create failed", "invalid", "unable to find user", "must be in range", "unknown capability",
            "cannot mkdir", "cannot mount", "range of cpus", "no command specified", "not a directory", "can't be",
            "can't contain",
            "is not supported",
        ].contains { words.contains($0) }
    }

    private static func isPortInUse(_ words: String) -> Bool {
        words.contains("port is already allocated") || words.contains("address already in use")
    }
}
