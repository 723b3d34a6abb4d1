import OrcCore

/// One argument of a command: its name, type and description.
package struct ActionArgument: Sendable {
    package let name: String
    package let kind: Kind
    package let isRequired: Bool
    package let summary: String

    package enum Kind: Sendable, Equatable {
        /// Text of at most `maxBytes` UTF-8 bytes, without a NUL.
        case text(maxBytes: Int)
        /// Like `text`, but without control characters, because console input must stay on one line.
        case line(maxBytes: Int)
        /// A JSON Boolean, or another form that PEON's clients send: 0, 1, "true", "false", "yes" or "no".
        case flag
        /// An image name that ``ImageReference`` accepts.
        case image
        case whole(ClosedRange<Int>)
        case word([String])
        case object
        case list
        /// A time span that ``DurationText`` accepts.
        case interval
        /// A time that ``TimeArgument`` accepts.
        case moment
    }

    package init(_ name: String, _ kind: Kind, required: Bool = false, _ summary: String) {
        self.name = name
        self.kind = kind
        self.isRequired = required
        self.summary = summary
    }

    package var schema: JSONSchema {
        switch kind {
        case .text(let maxBytes): .text(maxLength: maxBytes, pattern: #"^[^\u0000]*$"#)
        case .line(let maxBytes): .text(maxLength: maxBytes, pattern: #"^[^\u0000-\u001F\u007F]*$"#)
        case .flag: .boolean  // the other forms of PEON's clients are accepted too
        case .image: .text(maxLength: ImageReference.maxBytes, pattern: ImageReference.pattern)
        case .whole(let range): .integer(range)
        case .word(let words): .oneOf(words)
        case .object: .object
        case .list: .array(.any)
        case .interval: .either([.text(maxLength: 32, pattern: DurationText.pattern), .integer(0...999_999)])
        case .moment:
            .either([
                .text(maxLength: TimeArgument.maxBytes, pattern: TimeArgument.pattern),
                .numberFrom(0...TimeArgument.latest),
            ])
        }
    }

    /// Returns the first error in the arguments `given`, beginning with the argument's name; nil if there is none.
    ///
    /// Only arguments in `known` are checked.
    static func complaint(about given: JSON.Object, _ known: [ActionArgument]) -> String? {
        for argument in known {
            switch given[argument.name] {
            case nil, .null?:
                if argument.isRequired { return "\(argument.name): is required" }
            case let value?:
                if let complaint = argument.complaint(about: value) { return "\(argument.name): \(complaint)" }
            }
        }
        return nil
    }

    /// Returns the error in `value`, as text that follows the argument's name; nil if `value` is valid.
    func complaint(about value: JSON) -> String? {
        switch kind {
        case .line(let maxBytes):
            if let text = value.string, text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
                return "must be one line without control characters"
            }
            return ActionArgument(name, .text(maxBytes: maxBytes), summary).complaint(about: value)
        case .text(let maxBytes):
            guard let text = value.string else { return "must be text" }
            if text.utf8.count > maxBytes { return "must be at most \(maxBytes) bytes" }
            return text.utf8.contains(0) ? "must not hold a NUL" : nil
        case .flag: return value.flag == nil ? "must be true or false" : nil
        case .image:
            guard let text = value.string else { return "must be text" }
            return ImageReference(text) == nil ? "is not a valid image name" : nil
        case .whole(let range):
            guard let number = value.int, range.contains(number) else {
                return "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
            return nil
        case .word(let words):
            guard let word = value.string, words.contains(word) else {
                return "must be one of \(words.joined(separator: ", "))"
            }
            return nil
        case .object: return value.object == nil ? "must be an object" : nil
        case .list: return value.array == nil ? "must be a list" : nil
        case .interval:
            return DurationText.seconds(value) == nil
                ? "must be such as 90s, 15m, 2h, 1d or 1h30m; a bare number is minutes" : nil
        case .moment:
            return TimeArgument.date(value) == nil ? "must be an RFC 3339 time, or seconds since 1970" : nil
        }
    }
}

extension JSON {
    /// The value as a Boolean, if it is one or has a form that PEON's clients send for one; nil otherwise.
    package var flag: Bool? {
        switch self {
        case .bool(let value): value
        case .string("true"), .string("yes"): true
        case .string("false"), .string("no"): false
        case .number: int == 1 ? true : int == 0 ? false : nil
        case .null, .string, .array, .object: nil
        }
    }
}
