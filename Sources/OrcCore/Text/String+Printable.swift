extension String {
    /// Returns the longest prefix that has at most `bytes` bytes of UTF-8.
    ///
    /// The text is cut between Unicode scalars and not between `Character`s, which may have any number of bytes.
    package func prefix(bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var kept = String.UnicodeScalarView()
        var left = bytes
        for scalar in unicodeScalars {
            left -= UTF8.width(scalar)
            guard left >= 0 else { break }
            kept.append(scalar)
        }
        return String(kept)
    }

    /// The text without characters that a terminal or a reader may interpret, such as escape sequences and line ends.
    package var printable: String { String(String.UnicodeScalarView(unicodeScalars.filter(\.isPrintable))) }

    /// The text as in ``printable``, but with tabs and line ends kept.
    package var printableLines: String {
        var kept = String.UnicodeScalarView()
        var isAfterReturn = false
        for scalar in unicodeScalars {
            if isAfterReturn, scalar == "\n" { kept.append("\r") }
            isAfterReturn = scalar == "\r"
            if scalar == "\n" || scalar == "\t" || scalar.isPrintable { kept.append(scalar) }
        }
        return String(kept)
    }
}

extension Unicode.Scalar {
    /// True if the scalar is not a control or format character and does not end a line (Unicode, chapter 4.5).
    package var isPrintable: Bool {
        if isASCII { return value >= 0x20 && value != 0x7F }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return false
        default: return true
        }
    }
}
