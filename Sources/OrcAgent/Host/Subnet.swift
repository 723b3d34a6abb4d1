import OrcContract
import OrcCore
import OrcMetrics

/// A range of IPv4 addresses, such as `10.213.0.0/16`.
package struct Subnet: Sendable, Equatable, CustomStringConvertible {
    /// The first address.
    let first: UInt32
    /// Bits that all addresses have in common.
    let prefix: Int

    /// The networks that are made of a range: of fourteen addresses, one for the gateway.
    private static let small = 28

    /// Nil where `text` is none of IPv4, or has bits past its prefix.
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

    /// The first small network of this range that overlaps none of `taken`.
    func firstFree(besides taken: [Subnet]) -> Subnet? {
        let size: UInt32 = 1 << UInt32(32 - Self.small)
        guard prefix <= Self.small else { return nil }
        for start in stride(from: first, through: last & ~(size - 1), by: Int(size)) {
            let candidate = Subnet(first: start, prefix: Self.small)
            if !taken.contains(where: candidate.overlaps) { return candidate }
        }
        return nil
    }

    /// What the machine has a route to, but for the one to everywhere (proc(5), `/proc/net/route`).
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
