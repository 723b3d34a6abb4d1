/// A JSON value that keeps the order of an object's keys and the text of its numbers.
///
/// Plans, `config.json` and the REST responses must keep the order of their keys, which `Foundation`'s coders do not
/// guarantee.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number as its literal text (RFC 8259, section 6), so that `1.10` is not rewritten as `1.1`.
    case number(String)
    case string(String)
    case array([JSON])
    case object(Object)

    /// The members of a JSON object in their original order; each key occurs once.
    package struct Object: Sendable, Equatable {
        package private(set) var members: [(key: String, value: JSON)] = []

        package init() {}

        /// Creates an object from members; the caller guarantees that their keys differ.
        package init(unique members: [(key: String, value: JSON)]) { self.members = members }

        package init(_ members: some Sequence<(String, JSON)>) {
            for (key, value) in members { self[key] = value }
        }

        /// The value under `key`; nil if there is none.
        ///
        /// Assigning to a new key appends a member; assigning nil removes the member.
        package subscript(key: String) -> JSON? {
            get { members.first { $0.key == key }?.value }
            set {
                let index = members.firstIndex { $0.key == key }
                switch (index, newValue) {
                case (let index?, let value?): members[index].value = value
                case (let index?, nil): members.remove(at: index)
                case (nil, let value?): members.append((key, value))
                case (nil, nil): break
                }
            }
        }

        /// Returns the value under `key`; nil if the key is missing or its value is null.
        package func given(_ key: String) -> JSON? {
            guard let value = self[key], !value.isNull else { return nil }
            return value
        }

        /// Copies every member of `other` into this object, replacing members with the same key.
        package mutating func merge(_ other: Object) { for (key, value) in other.members { self[key] = value } }

        package var keys: [String] { members.map(\.key) }
        package var isEmpty: Bool { members.isEmpty }

        package static func == (left: Object, right: Object) -> Bool {
            left.members.elementsEqual(right.members) { $0.key == $1.key && $0.value == $1.value }
        }
    }
}

extension JSON {
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    package var object: Object? { if case .object(let value) = self { value } else { nil } }
    /// The value as a whole number, in any notation (`5`, `5.0`, `5e0`); nil if the value is not a whole number.
    package var int: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }
    package var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
    package var isNull: Bool { self == .null }

    /// The member under `key`; nil if this value is not an object or has no such member.
    package subscript(key: String) -> JSON? { object?[key] }

    /// Returns `value` as JSON; null if it is nil.
    package static func optional(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
    package static func optional(_ value: Int?) -> JSON { value.map { .number(String($0)) } ?? .null }
    package static func optional(_ value: Bool?) -> JSON { value.map(JSON.bool) ?? .null }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .number(String(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(Object(elements)) }
}

extension JSON.Object: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}
