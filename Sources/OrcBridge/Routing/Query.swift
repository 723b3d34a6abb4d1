import OrcCore

/// The query of a request's target.
struct Query {
    private let pairs: [(name: String, value: String)]

    /// Parses the query; nil if an escape is truncated or is not UTF-8.
    init?(_ text: Substring?) {
        var pairs: [(String, String)] = []
        for pair in (text ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let words = parts.map { HexEscape.decoded($0.replacing("+", with: " "), mark: "%") }
            guard let name = words[0], let value = words.count == 2 ? words[1] : "" else { return nil }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    var names: [String] { pairs.map(\.name) }

    subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

    /// Returns every value of `name`; a value with commas is split into several.
    func all(_ name: String) -> [String] {
        pairs.filter { $0.name == name }.flatMap { $0.value.split(separator: ",").map(String.init) }
    }
}
