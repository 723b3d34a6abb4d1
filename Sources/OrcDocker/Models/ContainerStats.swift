/// A container's usage counters in the engine's format, from cgroup v1, cgroup v2 or Podman: only the fields used here.
///
/// Fields that the document lacks, as for a stopped container, are nil.
package struct ContainerStats: Decodable, Sendable {
    /// Time of the measurement by the engine's clock; Docker's zero time (year 1) if nothing was measured.
    package let read: String
    package let preread: String?
    package let cpu: CPU?
    /// CPU usage at the previous measurement; all zero if there was no previous measurement.
    package let earlierCPU: CPU?
    package let memory: Memory?
    /// Network usage by interface name; nil if the container has no network of its own.
    package let networks: [String: Network]?
    package let block: Block?
    package let processes: Processes?

    package struct CPU: Decodable, Sendable {
        package let usage: Usage

        package struct Usage: Decodable, Sendable {
            /// CPU time that the container has used, in nanoseconds.
            package let total: UInt64
            enum CodingKeys: String, CodingKey { case total = "total_usage" }
        }

        enum CodingKeys: String, CodingKey { case usage = "cpu_usage" }
    }

    package struct Memory: Decodable, Sendable {
        package let usage: UInt64?
        package let limit: UInt64?
        package let details: Details?

        package struct Details: Decodable, Sendable {
            /// Only with cgroup v1: bytes of inactive cached files of the group and all groups below it.
            let totalInactiveFile: UInt64?
            /// Bytes of inactive cached files; the field that is used with cgroup v2.
            let inactiveFile: UInt64?

            enum CodingKeys: String, CodingKey {
                case totalInactiveFile = "total_inactive_file"
                case inactiveFile = "inactive_file"
            }
        }

        enum CodingKeys: String, CodingKey {
            case usage, limit
            case details = "stats"
        }

        /// Bytes of cached files that are not in active use.
        package var inactiveFile: UInt64? { details?.totalInactiveFile ?? details?.inactiveFile }
    }

    package struct Network: Decodable, Sendable {
        package let received: UInt64
        package let sent: UInt64

        enum CodingKeys: String, CodingKey {
            case received = "rx_bytes"
            case sent = "tx_bytes"
        }
    }

    package struct Block: Decodable, Sendable {
        package let bytes: [Entry]?

        package struct Entry: Decodable, Sendable {
            /// Name of the counted operation: Read, Write, Sync, Async or Total with cgroup v1; read or write with v2.
            package let operation: String
            package let value: UInt64

            enum CodingKeys: String, CodingKey {
                case operation = "op"
                case value
            }
        }

        enum CodingKeys: String, CodingKey { case bytes = "io_service_bytes_recursive" }

        /// Returns the total bytes of one operation, read or write, on all devices; nil if there are no counters.
        package func sum(of operation: String) -> UInt64? {
            bytes.map { entries in
                entries.filter { $0.operation.lowercased() == operation }
                    .reduce(0) { $0.addingReportingOverflow($1.value).partialValue }
            }
        }
    }

    package struct Processes: Decodable, Sendable {
        package let current: UInt64?
    }

    enum CodingKeys: String, CodingKey {
        case read, preread, networks
        case cpu = "cpu_stats"
        case earlierCPU = "precpu_stats"
        case memory = "memory_stats"
        case block = "blkio_stats"
        case processes = "pids_stats"
    }
}
