import Glibc

/// An IPv4 or IPv6 address; an IPv4 address is stored in its mapped form `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    package init?(_ text: some StringProtocol) {
        var bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : String(text)
        if let zone = bare.firstIndex(of: "%") { bare = String(bare[..<zone]) }
        var v4 = in_addr()
        if inet_pton(AF_INET, bare, &v4) == 1 {
            high = 0
            low = 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, bare, &v6) == 1 else { return nil }
        let words = withUnsafeBytes(of: &v6) { bytes in
            (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        high = UInt64(bigEndian: words.0)
        low = UInt64(bigEndian: words.1)
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Text form of the address (RFC 5952).
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        if isV4 {
            var v4 = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
            guard inet_ntop(AF_INET, &v4, &text, socklen_t(text.count)) != nil else { return "" }
        } else {
            var words = (high.bigEndian, low.bigEndian)
            guard inet_ntop(AF_INET6, &words, &text, socklen_t(text.count)) != nil else { return "" }
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    var isLoopback: Bool { isV4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }

    /// The part that identifies one owner: an IPv4 address, or an IPv6 network of 64 bits.
    var network: IPAddress { isV4 ? self : IPAddress(high: high, low: 0) }

    /// Returns the address with its first `length` bits unchanged, and the others of its 128 bits set to 0.
    func prefix(_ length: Int) -> IPAddress {
        IPAddress(
            high: length >= 64 ? high : length == 0 ? 0 : high & (~0 << UInt64(64 - length)),
            low: length <= 64 ? 0 : length == 128 ? low : low & (~0 << UInt64(128 - length)))
    }
}

/// A range of addresses that share their first bits: `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`.
package struct Network: Sendable, Equatable {
    private let first: IPAddress
    private let length: Int

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let offset = address.isV4 && !parts[0].contains(":") ? 96 : 0
        var length = 128
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...(128 - offset)).contains(given) else { return nil }
            length = given + offset
        }
        self.length = length
        first = address.prefix(length)
    }

    func contains(_ address: IPAddress) -> Bool { address.prefix(length) == first }
}

extension [Network] {
    /// Returns the address of the client behind a connection from `peer`.
    ///
    /// If `peer` is one of these proxies, this is the last address in `X-Forwarded-For` that is not a proxy.
    func client(peer: IPAddress, forwardedFor: String?) -> IPAddress {
        guard contains(where: { $0.contains(peer) }), let forwardedFor else { return peer }
        var client = peer
        for hop in forwardedFor.split(separator: ",").reversed() {
            guard let address = IPAddress(hop.trimmingBlanks.withoutPort) else { return client }
            client = address
            if !contains(where: { $0.contains(address) }) { return client }
        }
        return client
    }
}

extension Substring {
    /// The address without the port that some proxies add: `1.2.3.4:5678`, `[::1]:5678`.
    fileprivate var withoutPort: Substring {
        if hasPrefix("["), let end = lastIndex(of: "]") { return self[...end] }
        return filter { $0 == ":" }.count == 1 ? prefix { $0 != ":" } : self
    }

    var trimmingBlanks: Substring {
        var trimmed = self
        while let first = trimmed.first, first == " " || first == "\t" { trimmed.removeFirst() }
        while let last = trimmed.last, last == " " || last == "\t" { trimmed.removeLast() }
        return trimmed
    }
}
