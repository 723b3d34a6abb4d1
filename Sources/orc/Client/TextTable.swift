import OrcCore

/// Formats rows as columns of minimum width; the first row is the header.
enum TextTable {
    /// Returns the table as text, without characters that cannot be printed.
    static func text(_ rows: [[String]]) -> String {
        let rows = rows.map { $0.map(\.printable) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
                .trimmingTrailingBlanks
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate var trimmingTrailingBlanks: String { String(reversed().drop { $0 == " " }.reversed()) }
}
