import OrcContract
import OrcCore
import OrcMetrics

/// A range of IPv4 addresses, such as `10.213.0.0/16`.
package struct Subnet: Sendable, Equatable, CustomStringConvertible {
    /// The first address.
    let first: UInt32
    /// Number of leading bits that all addresses have in common.
    let prefix: Int

    /// Prefix of the networks taken from a range: 14 usable addresses, one of them for the gateway.
    private static let small = 28

    /// Nil if `text` is not an IPv4 range, its prefix is not within 8...30, or bits beyond the prefix are set.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let prefix = Int(parts[1]), (8...30).contains(prefix),
            let first = Self.address(parts[0])
        else { return nil }
        self.init(first: first, prefix: prefix)
        guard first & ~mask == 0 else { return nil }
    }

    private init(first: UInt32, prefix: Int) {
        self.first = first
        self.prefix = prefix
    }

    private static func address(_ text: Substring) -> UInt32? {
        let bytes = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard bytes.count == 4 else { return nil }
        var address: UInt32 = 0
        for byte in bytes {
            guard let byte else { return nil }
            address = address << 8 | UInt32(byte)
        }
        return address
    }

    private var mask: UInt32 { prefix == 0 ? 0 : ~0 << UInt32(32 - prefix) }
    private var last: UInt32 { first | ~mask }

    package var description: String {
        "\([24, 16, 8, 0].map { String(first >> UInt32($0) & 0xFF) }.joined(separator: "."))/\(prefix)"
    }

    func overlaps(_ other: Subnet) -> Bool { first <= other.last && other.first <= last }

    /// Returns the first `/28` network of this range that overlaps none of `taken`; nil if there is none.
    func firstFree(besides taken: [Subnet]) -> Subnet? {
        let size: UInt32 = 1 << UInt32(32 - Self.small)
        guard prefix <= Self.small else { return nil }
        for start in stride(from: first, through: last & ~(size - 1), by: Int(size)) {
            let candidate = Subnet(first: start, prefix: Self.small)
            if !taken.contains(where: candidate.overlaps) { return candidate }
        }
        return nil
    }

    /// Returns the subnets that the host has routes to, without the default route (proc(5), `/proc/net/route`).
    static func routed() -> [Subnet] { routes(in: ProcFile.read("/proc/net/route") ?? "") }

    static func routes(in table: String) -> [Subnet] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split { $0 == "\t" || $0 == " " }
            guard columns.count > 7, let first = UInt32(columns[1], radix: 16)?.byteSwapped,
                let mask = UInt32(columns[7], radix: 16)?.byteSwapped, mask != 0
            else { return nil }
            return Subnet(first: first, prefix: mask.nonzeroBitCount)
        }
    }
}
