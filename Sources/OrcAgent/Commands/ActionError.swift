import Glibc
package import OrcContract
import OrcCore
import OrcEngine
import OrcFiles
import OrcPlans
import OrcScheduling
import OrcStorage

/// The failure of an action: one wire code and a description for users.
package struct ActionError: Error, CustomStringConvertible {
    package let code: Reply.Code
    package let description: String

    init(_ code: Reply.Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// Converts an error of any module into a wire code; no other code does so.
    init(_ error: any Error) {
        switch error {
        case let error as ActionError: self = error
        case let error as ScheduleError: self.init(error.code, error.description)
        case let error as PlanError: self.init(Self.code(error), error.description)
        case let error as FileError: self.init(Self.code(error), error.description)
        case let error as EngineFailure: self.init(Self.code(error), Self.text(error))
        case is CancellationError: self.init(.superseded, "superseded by a later command")
        case let error as StorageError: self.init(error.isFull ? .noSpace : .internal, error.description)
        default: self.init(.internal, "\(error)")
        }
    }

    /// True if another attempt may succeed without intervention.
    ///
    /// Examples: a port held by another process, an image registry that is unreachable, a slow engine.
    var mayPass: Bool { [.portInUse, .pullFailed, .timeout, .noSpace].contains(code) }

    private static func code(_ error: PlanError) -> Reply.Code {
        switch error {
        case .unknownPlan: .unknownPlan
        case .missingSettings: .missingSettings
        case .unknownSettings, .badSetting: .badArguments
        case .exists: .exists
        case .unknownServer: .unknownServer
        case .unsafeMount, .excess: .unsafeEntry
        case .malformed: .badPlan
        }
    }

    private static func code(_ error: FileError) -> Reply.Code {
        switch error {
        case .unsafePath, .mount, .tooDeep: .unsafeEntry
        case .noSpace: .noSpace
        case .failed(_, let errno): code(errno: errno)
        }
    }

    /// Returns `conflict` for errors that the owner can fix in the server's folder, `internal` for disk failures.
    private static func code(errno: Int32) -> Reply.Code {
        switch errno {
        case EISDIR, ENOTDIR, ENAMETOOLONG, ELOOP, EINVAL: .badArguments
        case EPERM, EACCES, EROFS, ENOTEMPTY, EBUSY, EEXIST, ENOENT: .conflict
        case EINTR: .interrupted  // the agent is stopping; its next run removes the rest of the folder
        default: .internal
        }
    }

    /// Returns the engine's error, with advice if the error alone does not show what to do.
    private static func text(_ failure: EngineFailure) -> String {
        guard case .stuck = failure else { return failure.description }
        return """
            \(failure): the engine was terminated during a start and can no longer start this container; \
            `destroy` and then `start` creates a new one with the same files
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
