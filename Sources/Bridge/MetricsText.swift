import Peon

/// Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
struct MetricsText {
    typealias Labels = [String: String]
    typealias Sample = (labels: Labels, value: Double)

    enum Kind: String { case gauge, counter }

    private(set) var text = ""

    /// One figure without labels.
    mutating func add(_ name: String, _ help: String, _ value: Int, kind: Kind = .gauge) {
        add(name, help, [([:], Double(value))], kind: kind)
    }

    /// A family; without samples it is left out.
    mutating func add(_ name: String, _ help: String, _ samples: [Sample], kind: Kind = .gauge) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for (labels, value) in samples {
            let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
            let number = JSON.rounded(value, decimals: 6)
            text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}")
            text += " \(number.isNull ? "NaN" : number.text())\n"
        }
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
