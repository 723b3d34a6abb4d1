import Glibc
package import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
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
        case let error as ScheduleError: self.init(error.code, error.description)
        case let error as PlanError: self.init(Self.code(error), error.description)
        case let error as EngineFailure: self.init(Self.code(error), Self.words(error))
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
    private static func words(_ failure: EngineFailure) -> String {
        guard case .stuck = failure else { return failure.description }
        return """
            \(failure): the engine was ended amid a start and can start this container no more; \
            `destroy` and then `start` makes another of the same files
            """
    }

    private static func code(_ failure: EngineFailure) -> Reply.Code {
        switch failure {
        case .unreachable, .unsupported: .engineUnreachable
        case .timeout: .timeout
        case .portInUse, .addressMissing: .portInUse
        case .noSpace: .noSpace
        case .nameInUse: .nameConflict
        case .stuck, .conflict, .denied, .addressPoolsExhausted, .subnetInUse: .conflict
        case .invalid: .badPlan
        case .unreadable, .notFound, .other: .internal
        }
    }
}
