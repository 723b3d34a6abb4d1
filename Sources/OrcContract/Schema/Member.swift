package import FoundationEssentials
package import OrcCore

/// One member of messages of type `Message`: its key, its schema, and how its value is written and read.
///
/// A message's keys are spelt only in its list of members.
package struct Member<Message>: Sendable {
    package let field: Field
    let write: @Sendable (Message) -> JSON
    /// Reads the value into the message; returns false if a required value is missing or invalid.
    let read: @Sendable (JSON?, inout Message) -> Bool

    /// Creates a member with custom functions, such as one whose value is computed from others.
    package init(
        _ key: String, _ schema: JSONSchema, _ summary: String, write: @escaping @Sendable (Message) -> JSON,
        read: @escaping @Sendable (JSON?, inout Message) -> Bool = { _, _ in true }
    ) {
        field = Field(key, schema, summary)
        self.write = write
        self.read = read
    }

    /// Creates a member that may be null; null, a missing value and an unreadable value are read as nil.
    package init<Value>(
        _ key: String, _ path: any WritableKeyPath<Message, Value?> & Sendable, _ coding: ValueCoding<Value>,
        _ summary: String
    ) {
        self.init(
            key, .nullable(coding.schema), summary,
            write: { message in message[keyPath: path].map(coding.write) ?? .null },
            read: { json, message in
                message[keyPath: path] = json.flatMap(coding.read)
                return true
            })
    }

    /// Creates a member that is always written.
    ///
    /// If the value is missing or unreadable, as in the reports of another version, the reader keeps its default; if
    /// the member is `required`, the whole message is unreadable.
    package init<Value>(
        _ key: String, _ path: any WritableKeyPath<Message, Value> & Sendable, _ coding: ValueCoding<Value>,
        required: Bool = false, _ summary: String
    ) {
        self.init(
            key, coding.schema, summary, write: { coding.write($0[keyPath: path]) },
            read: { json, message in
                guard let value = json.flatMap(coding.read) else { return !required }
                message[keyPath: path] = value
                return true
            })
    }

    /// The contract's version, the first member of every message.
    package static var version: Member {
        Member(
            "v", .constant(1), "The contract's version.", write: { _ in 1 }, read: { json, _ in json?.int ?? 1 == 1 })
    }
}

/// How values of one type are written to JSON and read from JSON.
package struct ValueCoding<Value>: Sendable {
    let schema: JSONSchema
    let write: @Sendable (Value) -> JSON
    let read: @Sendable (JSON) -> Value?

    package init(
        _ schema: JSONSchema, write: @escaping @Sendable (Value) -> JSON, read: @escaping @Sendable (JSON) -> Value?
    ) {
        self.schema = schema
        self.write = write
        self.read = read
    }
}

extension ValueCoding where Value == String {
    package static var text: ValueCoding { ValueCoding(.string, write: JSON.string, read: \.string) }

    package static func word(of words: [String]) -> ValueCoding {
        ValueCoding(.oneOf(words), write: JSON.string) { json in json.string.flatMap { words.contains($0) ? $0 : nil } }
    }
}

extension ValueCoding where Value == Int {
    package static var whole: ValueCoding { ValueCoding(.integer(), write: { .optional($0) }, read: \.int) }
}

extension ValueCoding where Value == Bool {
    package static var flag: ValueCoding { ValueCoding(.boolean, write: JSON.bool, read: \.bool) }
}

extension ValueCoding where Value == Double {
    package static func number(decimals: Int) -> ValueCoding {
        ValueCoding(.number, write: { .rounded($0, decimals: decimals) }, read: \.double)
    }
}

extension ValueCoding where Value == Date {
    package static var time: ValueCoding<Date> {
        ValueCoding(.string, write: { Timestamp.json($0) }, read: { Timestamp.date($0) })
    }
}

extension ValueCoding where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    /// The coding of an enum whose cases are written as their raw text.
    package static var word: ValueCoding {
        ValueCoding(
            .oneOf(Value.allCases.map(\.rawValue)), write: { .string($0.rawValue) },
            read: { $0.string.flatMap(Value.init) })
    }
}

extension ValueCoding {
    /// The coding of a list; elements that cannot be read are left out.
    package static func list<Element>(_ element: ValueCoding<Element>) -> ValueCoding where Value == [Element] {
        ValueCoding(
            .array(element.schema), write: { .array($0.map(element.write)) },
            read: { $0.array.map { $0.compactMap(element.read) } })
    }
}

extension ValueCoding where Value: MessageCoding {
    /// The coding of an object that has a list of members of its own.
    package static var members: ValueCoding {
        ValueCoding(.members(Value.fields), write: \.json, read: { Value($0) })
    }
}

/// A message that is written to JSON, and read from JSON, by one list of members.
package protocol MessageCoding: Sendable {
    /// The message's members, in the order in which they are written.
    static var members: [Member<Self>] { get }

    /// Returns a message with placeholder values, before its members are read; nil if the JSON cannot be this message.
    static func blank(for json: JSON) -> Self?
}

extension MessageCoding {
    package static var fields: [Field] { members.map(\.field) }

    package var json: JSON { .object(JSON.Object(unique: Self.members.map { ($0.field.name, $0.write(self)) })) }

    /// Parses a message; nil if the JSON is not one.
    ///
    /// Members added by a later version are ignored.
    package init?(_ json: JSON) { self.init(json, blank: Self.blank(for: json)) }

    /// Parses a message into `blank`, which holds values that are known from elsewhere, such as from the topic.
    ///
    /// Nil if `blank` is nil, or if the JSON is not such a message.
    init?(_ json: JSON, blank: Self?) {
        guard let values = json.object?.members, var message = blank else { return nil }
        // Writers keep the order of the list: each member is looked for behind the one before it first.
        var next = 0
        for member in Self.members {
            let name = member.field.name
            let index =
                values[next...].firstIndex { $0.key == name } ?? values[..<next].firstIndex { $0.key == name }
            if let index { next = index + 1 }
            guard member.read(index.map { values[$0].value }, &message) else { return nil }
        }
        self = message
    }
}
