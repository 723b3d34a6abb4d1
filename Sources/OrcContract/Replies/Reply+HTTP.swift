extension Reply.Code {
    /// The HTTP status that says as much: the one place where the two are matched.
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
    /// 200 for what is done, 202 for what is still under way, else what the code says.
    package var httpStatus: Int {
        switch status {
        case .ok: 200
        case .accepted, .progress: 202
        // The catalogue had no complaint about a creation that an agent (which numbers its replies) refuses for its
        // arguments: they are settings that the plan does not take.
        case .error where code == .badArguments && action == ServerAction.create.rawValue && seq > 0: 422
        case .error: (code ?? .internal).httpStatus
        }
    }
}
