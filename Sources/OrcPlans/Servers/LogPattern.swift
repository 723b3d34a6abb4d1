import CPCRE
import OrcCore

/// A regular expression (PCRE2, pcre2pattern(3)) that is matched against lines of a server's log.
///
/// The lines come from games, so the steps and the memory of a match are bounded, and a line that exceeds a bound does
/// not match. This is the only file that calls the library.
package final class LogPattern: Sendable {
    /// Immutable after compilation; several threads may match with it (pcre2api(3), "Multithreading").
    private nonisolated(unsafe) let code: OpaquePointer
    private nonisolated(unsafe) let bounds: OpaquePointer

    /// Number of bytes at the start of a line that are matched; messages that a server is ready fit into these.
    package static let longest = 1024
    /// Maximum length of a pattern in bytes.
    private static let longestPattern = 1024
    /// Maximum number of calls of PCRE2's internal match function for one line, which take a few milliseconds.
    private static let mostSteps: UInt32 = 100_000
    private static let mostDepth: UInt32 = 1000
    /// Maximum heap memory of a match in KiB.
    private static let mostHeap: UInt32 = 512

    /// Compiles `text`; nil if the text is not a regular expression, or is too long.
    package init?(_ text: String) {
        var failure: Int32 = 0
        var place = 0
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C)
        let pattern = Array(text.utf8)
        guard pattern.count <= Self.longestPattern,
            let code = pcre2_compile_8(pattern, pattern.count, options, &failure, &place, nil)
        else { return nil }
        guard let bounds = pcre2_match_context_create_8(nil) else {
            pcre2_code_free_8(code)
            return nil
        }
        pcre2_set_match_limit_8(bounds, Self.mostSteps)
        pcre2_set_depth_limit_8(bounds, Self.mostDepth)
        pcre2_set_heap_limit_8(bounds, Self.mostHeap)
        self.code = code
        self.bounds = bounds
    }

    deinit {
        pcre2_match_context_free_8(bounds)
        pcre2_code_free_8(code)
    }

    /// Returns true if `line`, given without its line end, matches; color codes and carriage returns are ignored.
    package func matches(_ line: String) -> Bool {
        guard let match = pcre2_match_data_create_8(1, nil) else { return false }
        defer { pcre2_match_data_free_8(match) }
        let subject = Array(Self.plain(line.prefix(bytes: Self.longest)).utf8)
        // 0: a match, without room for groups, which are not needed; negative: no match, or a bound was exceeded.
        return pcre2_match_8(code, subject, subject.count, 0, 0, match, bounds) >= 0
    }

    /// Returns the line without ANSI escape sequences (ECMA-48, CSI and OSC) and without control characters other than
    /// tabs.
    package static func plain(_ line: String) -> String {
        var plain = String.UnicodeScalarView()
        var rest = line.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "\u{1B}" else {
                if scalar.value >= 0x20 || scalar == "\t" { plain.append(scalar) }
                continue
            }
            switch rest.popFirst() {
            case "["?: while let next = rest.popFirst(), !(0x40...0x7E).contains(next.value) {}
            case "]"?: while let next = rest.popFirst(), next.value != 0x07, next != "\\" {}
            default: break
            }
        }
        return String(plain)
    }
}
