package import OrcCore

/// The type of a value in a message, which can be written as a JSON Schema (draft 2020-12).
package indirect enum JSONSchema: Sendable, Equatable {
    case string
    /// A string of at most `maxLength` characters that matches `pattern` (ECMA-262).
    case text(maxLength: Int, pattern: String? = nil)
    case integer(ClosedRange<Int>? = nil)
    case number
    case numberFrom(ClosedRange<Int>)
    case boolean
    case object
    case any
    case constant(Int)
    case oneOf([String])
    case array(JSONSchema)
    case members([Field])
    case nullable(JSONSchema)
    case either([JSONSchema])

    package var json: JSON {
        switch self {
        case .string: ["type": "string"]
        case .text(let maxLength, let pattern):
            .object(
                JSON.Object(
                    [("type", "string"), ("maxLength", .optional(maxLength))]
                        + (pattern.map { [("pattern", .string($0))] } ?? [])))
        case .integer(nil): ["type": "integer"]
        case .integer(let range?):
            ["type": "integer", "minimum": .optional(range.lowerBound), "maximum": .optional(range.upperBound)]
        case .number: ["type": "number"]
        case .numberFrom(let range):
            ["type": "number", "minimum": .optional(range.lowerBound), "maximum": .optional(range.upperBound)]
        case .boolean: ["type": "boolean"]
        case .object: ["type": "object"]
        case .any: .object([:])
        case .constant(let value): ["const": .optional(value)]
        case .oneOf(let words): ["type": "string", "enum": .array(words.map(JSON.string))]
        case .array(let element): ["type": "array", "items": element.json]
        case .members(let fields): Field.objectSchema(fields)
        case .nullable(let schema): ["anyOf": [schema.json, ["type": "null"]]]
        case .either(let schemas): ["anyOf": .array(schemas.map(\.json))]
        }
    }
}

/// One member of a report or reply; the member is always present, and null if its value is not known.
package struct Field: Sendable, Equatable {
    package let name: String
    package let schema: JSONSchema
    package let summary: String

    package init(_ name: String, _ schema: JSONSchema, _ summary: String) {
        self.name = name
        self.schema = schema
        self.summary = summary
    }

    package var json: JSON {
        guard case .object(var object) = schema.json else { return schema.json }
        object["description"] = .string(summary)
        return .object(object)
    }

    /// Returns the schema of an object that must have all `fields`.
    package static func objectSchema(_ fields: [Field]) -> JSON {
        [
            "type": "object",
            "properties": .object(JSON.Object(fields.map { ($0.name, $0.json) })),
            "required": .array(fields.map { .string($0.name) }),
        ]
    }
}
