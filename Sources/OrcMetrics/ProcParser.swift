/// Parses numbers in the text formats of the kernel's files; the result is nil if a number is missing.
package enum ProcParser {
    /// Parses the text of a file that contains one number; nil for `max` and for a number that is too large.
    package static func number(_ text: String?) -> Int? { text?.split(separator: "\n").first.flatMap { Int($0) } }

    /// Returns the number after `key`, in a text of lines such as `key value` or `key: value`.
    package static func number(_ key: String, in text: String?) -> Int? {
        guard let text else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            let rest = line.dropFirst(key.count)
            guard let first = rest.utf8.first, first == UInt8(ascii: " ") || first == UInt8(ascii: ":") else {
                continue
            }
            return rest.split { $0 == " " || $0 == ":" || $0 == "\t" }.first.flatMap { Int($0) }
        }
        return nil
    }

    /// Returns the bytes read and written in total on all block devices, from a file of cgroup v1.
    ///
    /// `text`: content of `blkio.throttle.io_service_bytes`, with lines such as `8:0 Read 4096`.
    package static func blockBytes(_ text: String?) -> (read: Int, written: Int)? {
        guard let text else { return nil }
        var sum = (read: 0, written: 0)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let bytes = Int(words[2]) else { continue }
            if words[1] == "Read" { sum.read += bytes } else if words[1] == "Write" { sum.written += bytes }
        }
        return sum
    }

    /// Returns the bytes read and written in total on all block devices, from a file of cgroup v2.
    ///
    /// `text`: content of `io.stat`, with lines such as `8:0 rbytes=4096 wbytes=0 rios=1 …`.
    package static func ioBytes(_ text: String?) -> (read: Int, written: Int)? {
        guard let text else { return nil }
        var sum = (read: 0, written: 0)
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if word.hasPrefix("rbytes=") { sum.read += Int(word.dropFirst(7)) ?? 0 }
            if word.hasPrefix("wbytes=") { sum.written += Int(word.dropFirst(7)) ?? 0 }
        }
        return sum
    }

    /// Returns the total traffic in bytes of the network interfaces for whose names `counts` returns true.
    ///
    /// Nil if there is no such interface. `text`: content of `/proc/<pid>/net/dev` (proc_pid_net(5)).
    package static func networkBytes(_ text: String?, counts: (Substring) -> Bool) -> (received: Int, sent: Int)? {
        var sum: (received: Int, sent: Int)?
        for line in (text ?? "").split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].drop { $0 == " " }
            let words = line[line.index(after: colon)...].split(separator: " ")
            guard words.count >= 16, let received = Int(words[0]), let sent = Int(words[8]), counts(name) else {
                continue
            }
            sum = ((sum?.received ?? 0) + received, (sum?.sent ?? 0) + sent)
        }
        return sum
    }

    /// Returns the names of the network interfaces; `text`: content of `/proc/<pid>/net/dev`.
    package static func interfaces(_ text: String?) -> [Substring] {
        (text ?? "").split(separator: "\n").compactMap { line in
            line.firstIndex(of: ":").map { line[..<$0].drop { $0 == " " } }
        }
    }

    /// Returns the share of the last 10 s in which some task waited for a resource, in percent.
    ///
    /// `text`: content of a file in `/proc/pressure` (PSI); the result is `avg10` of its line `some`.
    package static func pressure(_ text: String?) -> Double? {
        guard let line = text?.split(separator: "\n").first(where: { $0.hasPrefix("some ") }) else { return nil }
        let word = line.split(separator: " ").first { $0.hasPrefix("avg10=") }
        return word.flatMap { Double($0.dropFirst(6)) }
    }
}
