package import FoundationEssentials
package import OrcCore

/// `console/server/<sid>`: lines that a server printed, while somebody follows them.
package enum ConsoleReport {
    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("lines", .array(.string), "What it printed, line by line, without line ends."),
        Field("dropped", .integer(), "Lines left out since the message before, as there were too many."),
        Field("ts", .string, "When this was said."),
    ]

    package static func json(_ lines: [String], dropped: Int, at date: Date) -> JSON {
        [
            "v": 1, "lines": .array(lines.map(JSON.string)), "dropped": .optional(dropped), "ts": Timestamp.json(date),
        ]
    }
}
