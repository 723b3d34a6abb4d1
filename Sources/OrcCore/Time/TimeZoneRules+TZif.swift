/// The reason why a time zone cannot be used.
package enum TimeZoneError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknown(String)
    case damaged(String, String)

    package var description: String {
        switch self {
        case .unknown(let name): "this machine knows no time zone \(name)"
        case .damaged(let name, let why): "the time zone \(name) cannot be read: \(why)"
        }
    }
}

/// Validates names of time zones: relative paths of letters, digits, `_`, `-` and `+`.
package enum TimeZoneName {
    package static let pattern = "[A-Za-z0-9][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*"
    package static let maxBytes = 64

    package static func allows(_ name: String) -> Bool {
        guard (1...maxBytes).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            part.first?.isAlphanumeric == true && part.allSatisfy { $0.isAlphanumeric || "_-+".utf8.contains($0) }
        }
    }

    /// True if `text` is allowed in the variable TZ: a zone's name, or rules such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    package static func allowsVariable(_ text: String) -> Bool {
        let zone = text.hasPrefix(":") ? text.dropFirst() : text[...]
        return allows(String(zone)) || POSIXTimeZone(zone) != nil
    }
}

extension TimeZoneRules {
    /// Reads a TZif file of version 2 or later (RFC 9636).
    package init(name: String, file: [UInt8]) throws(TimeZoneError) {
        func damaged(_ why: String) -> TimeZoneError { .damaged(name, why) }
        guard let old = TZifHeader(file[...]) else { throw damaged("it is no TZif file") }
        guard old.version >= 2 else { throw damaged("its version knows no later years") }
        // The first block is for readers of version 1.
        let rest = file.dropFirst(TZifHeader.bytes + old.size(timeBytes: 4))
        guard let header = TZifHeader(rest) else { throw damaged("it is cut off") }
        guard header.leaps == 0 else { throw damaged("it counts leap seconds, which no clock here does") }
        let data = rest.dropFirst(TZifHeader.bytes)
        guard data.count > header.size(timeBytes: 8), header.types > 0 else { throw damaged("it is cut off") }
        let times = data.prefix(header.times * 8)
        let indexes = data.dropFirst(header.times * 8).prefix(header.times)
        let types = data.dropFirst(header.times * 9).prefix(header.types * 6)
        let kinds = (0..<header.types).map { Int(Int32(truncatingIfNeeded: types.integer(at: $0 * 6, bytes: 4))) }
        let changes = (0..<header.times).map { times.integer(at: $0 * 8, bytes: 8) }
        guard zip(changes, changes.dropFirst()).allSatisfy({ $0 < $1 }) else { throw damaged("its times go back") }
        guard indexes.allSatisfy({ Int($0) < kinds.count }), kinds.allSatisfy({ abs($0) <= 26 * 3600 }) else {
            throw damaged("its offsets make no sense")
        }
        let footer = data.dropFirst(header.size(timeBytes: 8))
        guard footer.first == 0x0A, let end = footer.dropFirst().firstIndex(of: 0x0A) else {
            throw damaged("it is cut off")
        }
        let text = String(decoding: footer[(footer.startIndex + 1)..<end], as: UTF8.self)
        let rule = text.isEmpty ? nil : POSIXTimeZone(text)
        guard rule != nil || text.isEmpty else { throw damaged("its rule for later years is none") }
        self.init(
            name: name, changes: changes, offsets: indexes.map { kinds[Int($0)] }, first: kinds[0], rule: rule)
    }
}

/// The header of one of the two blocks of a TZif file (RFC 9636, section 3.1).
private struct TZifHeader {
    let version: Int
    let times: Int
    let types: Int
    let leaps: Int
    private let characters: Int
    private let standardMarks: Int
    private let utcMarks: Int

    static let bytes = 44

    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.bytes, bytes.starts(with: "TZif".utf8) else { return nil }
        let digit = Int(bytes[bytes.startIndex + 4])
        version = digit == 0 ? 1 : digit - 0x30
        let counts = (0..<6).map { bytes.integer(at: 20 + $0 * 4, bytes: 4) }
        (utcMarks, standardMarks, leaps) = (counts[0], counts[1], counts[2])
        (times, types, characters) = (counts[3], counts[4], counts[5])
    }

    /// Returns the size in bytes of the data block after this header; each time takes `timeBytes` bytes.
    func size(timeBytes: Int) -> Int {
        times * (timeBytes + 1) + types * 6 + characters + leaps * (timeBytes + 4) + standardMarks + utcMarks
    }
}

extension ArraySlice<UInt8> {
    /// Reads a big-endian integer of `bytes` bytes; an integer of eight bytes is signed.
    fileprivate func integer(at position: Int, bytes: Int) -> Int {
        dropFirst(position).prefix(bytes).reduce(0) { $0 << 8 | Int($1) }
    }
}
