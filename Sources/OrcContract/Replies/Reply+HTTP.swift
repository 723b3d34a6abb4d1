extension Reply.Code {
    /// The HTTP status for this error code; codes are mapped to statuses only here.
    package var httpStatus: Int {
        switch self {
        case .badJSON, .badArguments, .retained, .badReplyTopic: 400
        case .notAllowed: 403
        case .unknownServer, .unknownPlan, .unknownAction, .unknownSchedule: 404
        case .exists, .expired, .duplicate, .superseded, .conflict, .portInUse, .nameConflict: 409
        case .tooLarge: 413
        case .missingSettings, .badPlan, .unsafeEntry: 422
        case .busy: 429
        case .internal: 500
        case .pullFailed, .noSpace, .engineUnreachable, .interrupted: 503
        case .timeout: 504
        }
    }
}

extension Reply {
    /// The HTTP status: 200 for `ok`, 202 for `accepted` and `progress`, otherwise that of the error code.
    package var httpStatus: Int {
        switch status {
        case .ok: 200
        case .accepted, .progress: 202
        // The agent (its replies have a number above 0) rejected arguments that the catalogue had accepted: they are
        // settings that the plan does not accept.
        case .error where code == .badArguments && action == ServerAction.create.rawValue && seq > 0: 422
        case .error: (code ?? .internal).httpStatus
        }
    }
}
