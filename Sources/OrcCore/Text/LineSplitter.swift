/// Splits bytes into lines of bounded length.
package struct LineSplitter {
    /// Maximum number of bytes kept of one line.
    package static let longest = 8192

    private var line: [UInt8] = []
    private var isCut = false

    package init() {}

    /// Returns the lines that end within `bytes`, without line ends; a line that is too long is cut, and marked ` […]`.
    ///
    /// `withRest`: true to also return the beginning of the last line, if that line has not ended yet.
    package mutating func lines(in bytes: ArraySlice<UInt8>, withRest: Bool = false) -> [String] {
        var lines: [String] = []
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            append(rest[..<end])
            lines.append(text)
            line = []
            isCut = false
            rest = rest[rest.index(after: end)...]
        }
        append(rest)
        if withRest, !line.isEmpty { lines.append(text) }
        return lines
    }

    /// The beginning of the last line, which has not ended yet; nil if there is no such line.
    package var rest: String? { line.isEmpty ? nil : text }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        let room = Self.longest - line.count
        line += bytes.prefix(room)
        isCut = isCut || bytes.count > room
    }

    private var text: String {
        if isCut { return String(decoding: wholeScalars, as: UTF8.self) + " […]" }
        let end = line.last == UInt8(ascii: "\r") ? line.dropLast() : line[...]
        return String(decoding: end, as: UTF8.self)
    }

    /// The bytes of the line, without a Unicode scalar at the end of which bytes are missing (RFC 3629, section 3).
    private var wholeScalars: ArraySlice<UInt8> {
        guard let start = line.lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return line[...] }
        let width = (~line[start]).leadingZeroBitCount
        return width > 1 && line.count - start < width ? line[..<start] : line[...]
    }
}
