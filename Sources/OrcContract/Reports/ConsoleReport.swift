package import FoundationEssentials
package import OrcCore

/// The message `console/server/<sid>`: lines that a server printed, published while a client follows them.
package struct ConsoleReport: Equatable, MessageCoding {
    package private(set) var lines: [String]
    package private(set) var dropped: Int
    package private(set) var at: Date

    package init(_ lines: [String], dropped: Int, at date: Date) {
        self.lines = lines
        self.dropped = dropped
        at = date
    }

    package static let members: [Member<ConsoleReport>] = [
        .version,
        Member("lines", \.lines, .list(.text), required: true, "The printed lines, without line ends."),
        Member("dropped", \.dropped, .whole, "Lines left out since the previous message, because there were too many."),
        Member("ts", \.at, .time, "The time of the message."),
    ]

    package static func blank(for json: JSON) -> ConsoleReport? {
        ConsoleReport([], dropped: 0, at: Date(timeIntervalSince1970: 0))
    }
}
