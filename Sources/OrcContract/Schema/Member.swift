package import FoundationEssentials
package import OrcCore

/// One member of a message of type `Message`: its key, its schema, and how it is written and read.
///
/// A message's list of members is the only place where its keys are spelt.
package struct Member<Message>: Sendable {
    package let field: Field
    let write: @Sendable (Message) -> JSON
    /// Returns false if a value that must be there cannot be read.
    let read: @Sendable (JSON?, inout Message) -> Bool

    /// A member that is computed from others, or written by hand.
    package init(
        _ key: String, _ schema: JSONSchema, _ summary: String, write: @escaping @Sendable (Message) -> JSON,
        read: @escaping @Sendable (JSON?, inout Message) -> Bool = { _, _ in true }
    ) {
        field = Field(key, schema, summary)
        self.write = write
        self.read = read
    }

    /// A member that can be null: null and an unreadable value are read as nil.
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

    /// A member that is always written; a reader keeps its default if it is missing or cannot be read, as in the reports of
    /// another version.
    package init<Value>(
        _ key: String, _ path: any WritableKeyPath<Message, Value> & Sendable, _ coding: ValueCoding<Value>,
        _ summary: String
    ) {
        self.init(
            key, coding.schema, summary, write: { coding.write($0[keyPath: path]) },
            read: { json, message in
                if let value = json.flatMap(coding.read) { message[keyPath: path] = value }
                return true
            })
    }

    /// A member without which the message cannot be read.
    package init<Value>(
        required key: String, _ path: any WritableKeyPath<Message, Value> & Sendable, _ coding: ValueCoding<Value>,
        _ summary: String
    ) {
        self.init(
            key, coding.schema, summary, write: { coding.write($0[keyPath: path]) },
            read: { json, message in
                guard let value = json.flatMap(coding.read) else { return false }
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

/// How one kind of value is written to JSON and read from it.
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
    /// One of an enum's words.
    package static var word: ValueCoding {
        ValueCoding(
            .oneOf(Value.allCases.map(\.rawValue)), write: { .string($0.rawValue) },
            read: { $0.string.flatMap(Value.init) })
    }
}

extension ValueCoding {
    /// A list; elements that cannot be read are left out.
    package static func list<Element>(_ element: ValueCoding<Element>) -> ValueCoding where Value == [Element] {
        ValueCoding(
            .array(element.schema), write: { .array($0.map(element.write)) },
            read: { $0.array.map { $0.compactMap(element.read) } })
    }
}

extension ValueCoding where Value: MessageCoding {
    /// An object with members of its own.
    package static var members: ValueCoding {
        ValueCoding(.members(Value.fields), write: \.json, read: { Value($0) })
    }
}

/// A message that is written to JSON and read from it by one list of members.
package protocol MessageCoding: Sendable {
    /// In the order in which they are written.
    static var members: [Member<Self>] { get }

    /// A message whose required members have not been read yet; nil if the JSON cannot be this message.
    static func blank(for json: JSON) -> Self?
}

extension MessageCoding {
    package static var fields: [Field] { members.map(\.field) }

    package var json: JSON { .object(JSON.Object(unique: Self.members.map { ($0.field.name, $0.write(self)) })) }

    /// Nil if the JSON is not this message; members that a later version adds are ignored.
    package init?(_ json: JSON) { self.init(json, blank: Self.blank(for: json)) }

    /// As ``init(_:)``, with the values that are known otherwise, such as from the topic.
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
