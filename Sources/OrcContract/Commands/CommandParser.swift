package import FoundationEssentials
import OrcCore

/// A message received under `cmd/` that has not been checked yet.
package struct CommandMessage: Sendable {
    package var topic: String
    package var payload: [UInt8]
    package var isRetained = false
    package var responseTopic: String?
    package var correlation: [UInt8]?
    package var by: String?
    package var from: String?
    /// The replies that the client wants: `last` if it wants only the terminal reply.
    package var replies: String?

    package init(topic: String, payload: [UInt8]) {
        self.topic = topic
        self.payload = payload
    }
}

extension CommandMessage {
    /// The message as text for the journal; nil if its payload is not UTF-8: such a message is no command.
    package var journalText: String? {
        guard let text = String(validating: payload, as: UTF8.self) else { return nil }
        let json: JSON = [
            "topic": .string(topic), "payload": .string(text), "response_topic": .optional(responseTopic),
            "correlation": correlation.map { .array($0.map { .number(String($0)) }) } ?? .null, "by": .optional(by),
            "from": .optional(from), "replies": .optional(replies),
        ]
        return json.text()
    }

    /// Parses the text of a message in the journal; nil if the text is invalid.
    package init?(journalText: String) {
        guard let json = try? JSON.parse(journalText), let topic = json["topic"]?.string,  // nil if it is not JSON
            let payload = json["payload"]?.string
        else { return nil }
        self.init(topic: topic, payload: Array(payload.utf8))
        responseTopic = json["response_topic"]?.string
        correlation = json["correlation"]?.array?.compactMap { $0.int.flatMap { UInt8(exactly: $0) } }
        by = json["by"]?.string
        from = json["from"]?.string
        replies = json["replies"]?.string
    }
}

/// The reason why a command is rejected, and where to send the error reply.
package struct CommandRejection: Error, Sendable {
    package let code: Reply.Code
    package let reason: String
    package let id: String?
    package let route: ReplyRoute
    package let sender: Sender

    /// The sender, as stated by the client.
    package struct Sender: Sendable, Equatable {
        package let by: String?
        package let place: String?

        /// Truncates both values to 64 bytes and drops unprintable characters.
        package init(by: String? = nil, place: String? = nil) {
            self.by = by.map(Self.plain)
            self.place = place.map(Self.plain)
        }

        private static func plain(_ text: String) -> String { text.prefix(bytes: 256).printable.prefix(bytes: 64) }
    }
}

/// Parses commands, without side effects.
///
/// Only this type decides whether a message is a command.
package struct CommandParser: Sendable {
    package let topics: Topics

    package static let maxBytes = 64 * 1024
    package static let maxDepth = 8
    package static let maxMembers = 512
    package static let maxIDBytes = 64
    /// Maximum length of a command's topic in bytes; longer topics are ignored, as the reply's topic would be too long.
    package static let maxTopicBytes = 1024
    package static let maxCorrelationBytes = 4096

    package init(topics: Topics) { self.topics = topics }

    /// Parses and checks a message.
    ///
    /// - Returns: nil if the message is not a command: its payload is empty, or its topic belongs to another host.
    package func read(_ message: CommandMessage, now: Date) throws(CommandRejection) -> Command? {
        guard message.topic.utf8.count <= Self.maxTopicBytes, let mirror = topics.result(ofCommand: message.topic),
            let address = topics.address(ofCommand: message.topic),
            !message.payload.isEmpty
        else { return nil }
        let isAnswerable = message.correlation?.count ?? 0 <= Self.maxCorrelationBytes
        let correlation = isAnswerable ? message.correlation : nil
        var draft = CommandDraft(route: ReplyRoute(mirror: mirror, topic: nil, correlation: correlation))
        draft.id = correlation.flatMap(Self.id)
        draft.sender = CommandRejection.Sender(by: message.by, place: message.from)
        draft.route.wantsLastAlone = message.replies == "last"
        if message.isRetained {
            draft.adoptLeniently(message.payload, topics: topics)
            throw draft.refusal(.retained, "retained commands are never executed")
        }
        guard isAnswerable else {
            throw draft.refusal(.tooLarge, "correlation data of more than \(Self.maxCorrelationBytes) bytes")
        }
        try draft.adopt(responseTopic: message.responseTopic, topics: topics)
        let members: JSON.Object
        do throws(CommandRejection) { members = try draft.members(of: message.payload, address: address) } catch {
            // Takes the id and the reply topic if they can be parsed, so that the sender gets the error.
            draft.adoptLeniently(message.payload, topics: topics)
            throw draft.refusal(error.code, error.reason)
        }
        try draft.adoptEnvelope(members, topics: topics)
        if let deadline = try draft.deadline(members), deadline < now {
            throw draft.refusal(.expired, "its time to live has expired")
        }
        var arguments = try draft.arguments(members)
        var target = try draft.target(address)
        try draft.refuseOtherVerbs(target, arguments)
        if case .server(let server, .schedule) = target, let word = arguments.given("now") {
            guard let action = word.string.flatMap(ServerAction.init), [.start, .stop].contains(action) else {
                throw draft.refusal(.badArguments, "now: must be one of start, stop")
            }
            arguments["now"] = nil
            target = .server(server, action)
            if let complaint = ActionArgument.complaint(about: arguments, ActionArgument.session) {
                throw draft.refusal(.badArguments, complaint)
            }
        }
        var command = Command(
            target: target, id: draft.id, arguments: arguments, route: draft.route, by: draft.sender.by,
            receivedAt: now)
        command.place = draft.sender.place
        if members["converge"]?.bool == true { command.converges = true }
        if let complaint = command.action.spec.complaint(about: arguments) {
            throw draft.refusal(.badArguments, complaint)
        }
        if let complaint = command.scheduleComplaint { throw draft.refusal(.badArguments, complaint) }
        return command
    }

    /// Returns an id made from MQTT v5 correlation data; nil if the data is empty.
    ///
    /// Short printable data is used as text, other data in hexadecimal. If the data is longer than ``maxIDBytes``, its
    /// first ``maxIDBytes`` bytes are used, followed by a hash of all bytes (FNV-1a, 64 bits).
    private static func id(correlation: [UInt8]) -> String? {
        guard !correlation.isEmpty else { return nil }
        if correlation.count <= maxIDBytes, correlation.allSatisfy({ (0x21...0x7E).contains($0) }) {
            return String(decoding: correlation, as: UTF8.self)
        }
        let hexadecimal = correlation.prefix(maxIDBytes).hexadecimal
        guard correlation.count > maxIDBytes else { return hexadecimal }
        return hexadecimal + "-" + String(correlation.fnv1a, radix: 16)
    }
}

/// A command that is being parsed, with the parts known so far.
struct CommandDraft {
    var route: ReplyRoute
    var id: String?
    var sender = CommandRejection.Sender()

    static let envelope: Set<String> = [
        "id", "ts", "ttl", "reply_to", "args", "by", "from", "converge", "v", "replies",
    ]

    func refusal(_ code: Reply.Code, _ reason: String) -> CommandRejection {
        CommandRejection(code: code, reason: reason, id: id, route: route, sender: sender)
    }

    mutating func adopt(responseTopic: String?, topics: Topics) throws(CommandRejection) {
        guard let responseTopic else { return }
        guard topics.allowsReply(to: responseTopic) else {
            throw refusal(.badReplyTopic, "the reply topic must be below \(topics.reply(to: ""))")
        }
        route.topic = responseTopic
    }

    /// Returns the payload's members; none for the bare word `PRESS`, and `state` for a bare power word such as `ON`.
    func members(of payload: [UInt8], address: Topics.Address) throws(CommandRejection) -> JSON.Object {
        guard payload.count <= CommandParser.maxBytes else {
            throw refusal(.tooLarge, "more than \(CommandParser.maxBytes) bytes")
        }
        if let word = String(validating: payload, as: UTF8.self) {
            if word == "PRESS" { return [:] }
            if case .server(_, .power) = address, PowerWord(rawValue: word) != nil { return ["state": .string(word)] }
        }
        do {
            guard let members = try JSON.parse(payload, maxDepth: CommandParser.maxDepth).object else {
                throw refusal(.badJSON, "must be a JSON object")
            }
            // Members are searched one by one, so their number is limited.
            let arguments = members["args"]?.object?.members.count ?? 0
            guard members.members.count + arguments <= CommandParser.maxMembers else {
                throw refusal(.tooLarge, "more than \(CommandParser.maxMembers) members")
            }
            return members
        } catch let error as JSONError {
            throw refusal(.badJSON, "\(error)")
        } catch {
            throw error as? CommandRejection ?? refusal(.badJSON, "\(error)")
        }
    }

    /// Sets the id and the reply topic from a payload that was rejected, as far as the payload can be parsed.
    mutating func adoptLeniently(_ payload: [UInt8], topics: Topics) {
        let members = JSON.leadingMembers(
            of: payload, maxDepth: CommandParser.maxDepth, maxMembers: CommandParser.maxMembers)
        if let text = members["id"]?.string, Self.isID(text) { id = text }
        adoptReplies(members)
        if route.topic == nil, let client = members["reply_to"]?.string, let topic = topics.replyTopic(for: client) {
            route.topic = topic
        }
    }

    private static func isID(_ text: String) -> Bool {
        (1...CommandParser.maxIDBytes).contains(text.utf8.count) && text.unicodeScalars.allSatisfy(\.isPrintable)
    }

    private mutating func adoptReplies(_ members: JSON.Object) {
        if members["replies"]?.string == "last" { route.wantsLastAlone = true }
    }

    mutating func adoptEnvelope(_ members: JSON.Object, topics: Topics) throws(CommandRejection) {
        sender = CommandRejection.Sender(
            by: members["by"]?.string ?? sender.by, place: members["from"]?.string ?? sender.place)
        switch members["id"] {
        case nil, .null?: break
        case .string(let text)? where Self.isID(text): id = text
        default: throw refusal(.badArguments, "id: must be plain text of 1 to \(CommandParser.maxIDBytes) bytes")
        }
        switch members["reply_to"] {
        case nil, .null?: break
        case .string(let client)?:
            guard let topic = topics.replyTopic(for: client) else {
                throw refusal(
                    .badReplyTopic,
                    "reply_to: must be topic levels of [A-Za-z0-9_-], or a topic below \(topics.reply(to: ""))")
            }
            if route.topic == nil { route.topic = topic }
        default: throw refusal(.badReplyTopic, "reply_to: must be text")
        }
        adoptReplies(members)
    }

    /// Returns the time `ts` plus `ttl`; nil if one of the two is missing.
    func deadline(_ members: JSON.Object) throws(CommandRejection) -> Date? {
        guard let ttl = members["ttl"], ttl != .null else { return nil }
        guard let seconds = ttl.double, seconds.isFinite, seconds >= 0 else {
            throw refusal(.badArguments, "ttl: must be a number of seconds")
        }
        guard let ts = members["ts"], ts != .null else { return nil }
        guard let sent = Timestamp.date(ts) else {
            throw refusal(.badArguments, "ts: must be an RFC 3339 time or seconds since 1970")
        }
        return sent.addingTimeInterval(seconds)
    }

    /// Returns the arguments: the top-level members, as in PEON's request bodies, overridden by the members of `args`.
    func arguments(_ members: JSON.Object) throws(CommandRejection) -> JSON.Object {
        var arguments = JSON.Object(
            members.members.filter { !Self.envelope.contains($0.key) }.map { ($0.key, $0.value) })
        switch members["args"] {
        case nil, .null?: break
        case .object(let given)?: arguments.merge(given)
        default: throw refusal(.badArguments, "args: must be an object")
        }
        return arguments
    }
}
