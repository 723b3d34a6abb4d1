import HTTPTypes
import NIOCore
import OrcContract
import OrcCore

/// Response to a call.
struct BridgeResponse: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: Body
    /// True if the connection must be closed after this response, since further input is too large or cannot be
    /// trusted.
    var isLast = false

    enum Body: Sendable {
        case bytes(ByteBuffer)
        /// Body that is written in pieces, without a time limit.
        case stream(EventStream)
        /// A WebSocket, until either side closes it.
        case console(ConsoleSocket)
    }

    init(_ status: HTTPResponse.Status, headers: HTTPFields = [:], _ body: Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    init(_ status: HTTPResponse.Status, headers: HTTPFields = [:], _ body: ByteBuffer = ByteBuffer()) {
        self.init(status, headers: headers, .bytes(body))
    }

    /// Returns JSON in the format of the bus: compact, UTF-8.
    static func json(_ json: JSON, _ status: HTTPResponse.Status = .ok) -> BridgeResponse {
        BridgeResponse(status, headers: [.contentType: "application/json"], ByteBuffer(bytes: json.bytes))
    }

    /// Returns JSON in PEON's format: ASCII only, with spaces after commas and colons, and with a line end.
    static func peon(_ json: JSON, _ status: HTTPResponse.Status = .ok) -> BridgeResponse {
        BridgeResponse(
            status, headers: [.contentType: "application/json"], ByteBuffer(string: json.text(.spaced) + "\n"))
    }

    static func text(_ text: String, _ status: HTTPResponse.Status = .ok, type: String) -> BridgeResponse {
        BridgeResponse(status, headers: [.contentType: type], ByteBuffer(string: text))
    }

    var isFailure: Bool { status.code >= 400 }
}

/// Error of a call that the bridge itself reports, as opposed to an error in an agent's reply.
struct Problem: Error {
    let code: Code
    /// Human-readable reason for the error.
    let reason: String
    var headers: HTTPFields = [:]

    enum Code: String, CaseIterable {
        case badRequest = "bad_request"
        case unauthorized
        case notAllowed = "not_allowed"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case unknownAction = "unknown_action"
        case conflict
        case tooLarge = "too_large"
        case upgradeRequired = "upgrade_required"
        case tooManyRequests = "too_many_requests"
        case agentOffline = "agent_offline"
        case busUnreachable = "bus_unreachable"
        case timeout

        var status: Int {
            switch self {
            case .badRequest: 400
            case .unauthorized: 401
            case .notAllowed: 403
            case .notFound, .unknownAction: 404
            case .methodNotAllowed: 405
            case .conflict: 409
            case .tooLarge: 413
            case .upgradeRequired: 426
            case .tooManyRequests: 429
            case .agentOffline, .busUnreachable: 503
            case .timeout: 504
            }
        }
    }

    init(_ code: Code, _ reason: String, headers: HTTPFields = [:]) {
        self.code = code
        self.reason = reason
        self.headers = headers
        if self.status == .serviceUnavailable { self.headers[.retryAfter] = "5" }
    }

    static let noBroker = Problem(.busUnreachable, "the broker cannot be reached")

    var status: HTTPResponse.Status { HTTPResponse.Status(code: code.status) }

    /// The error as a response in the format of the bus paths.
    var answer: BridgeResponse {
        var answer = BridgeResponse.json(["v": 1, "code": .string(code.rawValue), "error": .string(reason)], status)
        answer.headers.append(contentsOf: headers)
        return answer
    }
}
