/// A container's counters as the engine tells them, of cgroup v1 and v2, and of podman: the fields that are used here.
///
/// What a stopped container's document leaves out, or holds as zero, is nil.
package struct ContainerStats: Decodable, Sendable {
    /// When it was counted, by the engine's clock; its zero time where it was not.
    package let read: String
    package let preread: String?
    package let cpu: CPU?
    /// The reading before; all zero where there was none.
    package let earlierCPU: CPU?
    package let memory: Memory?
    /// By interface; nil where it has no network of its own.
    package let networks: [String: Network]?
    package let block: Block?
    package let processes: Processes?

    package struct CPU: Decodable, Sendable {
        package let usage: Usage
        /// Nanoseconds of all the machine's cores.
        package let system: UInt64?
        package let online: Int?

        package struct Usage: Decodable, Sendable {
            /// Nanoseconds.
            package let total: UInt64
            enum CodingKeys: String, CodingKey { case total = "total_usage" }
        }

        enum CodingKeys: String, CodingKey {
            case usage = "cpu_usage"
            case system = "system_cpu_usage"
            case online = "online_cpus"
        }
    }

    package struct Memory: Decodable, Sendable {
        package let usage: UInt64?
        package let limit: UInt64?
        package let details: Details?

        package struct Details: Decodable, Sendable {
            /// Of cgroup v1, of it and all below it.
            let totalInactiveFile: UInt64?
            /// Of cgroup v2.
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

        /// Bytes of files that were read and are in no use.
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
            /// Read, Write, Sync, Async, Total on v1; read, write on v2.
            package let operation: String
            package let value: UInt64

            enum CodingKeys: String, CodingKey {
                case operation = "op"
                case value
            }
        }

        enum CodingKeys: String, CodingKey { case bytes = "io_service_bytes_recursive" }

        /// Bytes of one operation over all devices; nil where nothing is counted.
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
