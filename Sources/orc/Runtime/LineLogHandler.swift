import FoundationEssentials
import Glibc
import Logging
import OrcContract
import OrcCore

/// Writes one line per record to standard error, as text or as JSON.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    let isJSON: Bool

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        let time = Timestamp.text(Date())
        let line: String
        if isJSON {
            var object: JSON.Object = [
                "ts": .string(time), "level": .string(event.level.rawValue), "msg": .string("\(event.message)"),
            ]
            for (key, value) in fields { object[key] = .string("\(value)") }
            line = JSON.object(object).text()
        } else {
            let pairs = fields.map { " \($0.key)=\(Self.oneWord("\($0.value)"))" }.joined()
            line = "\(time) \(event.level.rawValue) \(event.message)\(pairs)"
        }
        StandardError.write(line + "\n")
    }

    /// Returns `text` as a single word: unchanged if it is plain, otherwise quoted and escaped as a JSON string.
    private static func oneWord(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { $0.isPrintable && $0 != " " && $0 != "\"" && $0 != "=" }
        return isPlain ? text : JSON.string(text).text()
    }
}

enum StandardError {
    static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
            guard count > 0 else { return }  // the error cannot be reported anywhere else
            bytes = bytes.dropFirst(count)
        }
    }
}

enum StandardOutput {
    static func print(_ text: String) {
        var bytes = Array((text + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            guard count > 0 else { return }  // the reader has closed the pipe
            bytes = bytes.dropFirst(count)
        }
    }
}
