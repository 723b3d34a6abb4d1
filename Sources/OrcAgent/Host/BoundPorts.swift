import OrcEngine
import OrcMetrics
import OrcPlans

/// Reads the ports bound in the agent's network namespace, and in the host's if that is visible (proc(5)).
///
/// The host's namespace is visible in `/proc/1/net` if the agent's container shares the host's process namespace.
enum BoundPorts {
    private static let files: [(path: String, transport: TransportProtocol)] = ["/proc/net", "/proc/1/net"].flatMap {
        folder in
        [
            ("\(folder)/tcp", .tcp), ("\(folder)/tcp6", .tcp), ("\(folder)/udp", .udp), ("\(folder)/udp6", .udp),
        ]
    }

    static func bound() -> [(number: Int, transport: TransportProtocol, address: BoundAddress)] {
        files.flatMap { path, transport in
            ports(in: ProcFile.read(path) ?? "", transport: transport).map { ($0.number, transport, $0.address) }
        }
    }

    /// Returns the ports in a table of the kernel: listening TCP sockets (state 0A), and all UDP sockets.
    static func ports(in table: String, transport: TransportProtocol) -> [(number: Int, address: BoundAddress)] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: true)
            guard columns.count > 3, transport == .udp || columns[3] == "0A", let colon = columns[1].lastIndex(of: ":")
            else {
                return nil
            }
            return Int(columns[1][columns[1].index(after: colon)...], radix: 16).map {
                ($0, BoundAddress(words: columns[1][..<colon]))
            }
        }
    }
}
