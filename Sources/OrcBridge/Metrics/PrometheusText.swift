import OrcContract
import OrcCore

/// Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
struct PrometheusText {
    /// Labels of a sample, as the text between its braces.
    struct Labels {
        private(set) var text = ""

        /// Adds a label.
        ///
        /// Values come from the bus, where any client with access may publish: they are truncated and escaped.
        mutating func add(_ name: String, _ value: String) {
            if !text.isEmpty { text += "," }
            text += name
            text += "=\""
            for scalar in value.prefix(bytes: Self.maxBytes).unicodeScalars {
                switch scalar {
                case "\\": text += "\\\\"
                case "\"": text += "\\\""
                case "\n": text += "\\n"
                case "\u{0}"..<" ", "\u{7F}": text += " "
                default: text.unicodeScalars.append(scalar)
                }
            }
            text += "\""
        }

        func adding(_ name: String, _ value: String) -> Labels {
            var labels = self
            labels.add(name, value)
            return labels
        }

        private static let maxBytes = 256
    }

    typealias Sample = (labels: Labels, value: Double)

    enum Kind: String { case gauge, counter }

    private(set) var text = ""

    /// Adds a metric with a single value and no labels.
    mutating func add(_ name: String, _ help: String, _ value: Int, kind: Kind = .gauge) {
        let sample: Sample = ([:], Double(value))
        add(name, help, [sample], kind: kind)
    }

    /// Adds a metric family; omits samples whose value is not finite, and omits the family if no samples are left.
    mutating func add(_ name: String, _ help: String, _ samples: [Sample], kind: Kind = .gauge) {
        let samples = samples.filter { $0.value.isFinite }
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for (labels, value) in samples {
            text += name
            if !labels.text.isEmpty {
                text += "{"
                text += labels.text
                text += "}"
            }
            text += " "
            text += JSON.rounded(value, decimals: 6).text()
            text += "\n"
        }
    }
}

extension PrometheusText.Labels: ExpressibleByDictionaryLiteral {
    init(dictionaryLiteral pairs: (String, String)...) { for (name, value) in pairs { add(name, value) } }
}
