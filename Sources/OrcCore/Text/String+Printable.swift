extension String {
    /// Its first scalars that have room in so many bytes of UTF-8; a `Character` may have any number of bytes.
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

    /// Without what a terminal or a reader could take for more than text, such as an escape sequence or a line's end.
    package var printable: String { String(String.UnicodeScalarView(unicodeScalars.filter(\.isPrintable))) }

    /// The same, but for tabulators and line ends.
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
    /// Whether it is neither a control or format character, nor ends a line (Unicode, chapter 4.5).
    package var isPrintable: Bool {
        if isASCII { return value >= 0x20 && value != 0x7F }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return false
        default: return true
        }
    }
}
