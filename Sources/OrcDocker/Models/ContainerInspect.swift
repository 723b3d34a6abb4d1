/// A container in the engine's list of containers.
package struct ContainerSummary: Decodable, Sendable {
    package let id: String
    /// The container's names, each with a leading slash.
    package let names: [String]?
    package let labels: [String: String]?
    package let state: String
    package let ports: [Port]?

    package struct Port: Decodable, Sendable {
        package let publicPort: Int?
        package let type: String
        /// The host's IP address on which the port is published.
        package let address: String?

        enum CodingKeys: String, CodingKey {
            case address = "IP"
            case publicPort = "PublicPort"
            case type = "Type"
        }
    }

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case names = "Names"
        case labels = "Labels"
        case state = "State"
        case ports = "Ports"
    }

    package var name: String? { names?.first.map { String($0.drop { $0 == "/" }) } }
}

/// The engine's description of a container: the response to inspecting the container, only the fields used here.
package struct ContainerInspect: Decodable, Sendable {
    package let id: String
    /// The container's name, with a leading slash.
    package let name: String
    package let image: String
    package var state: State
    package let config: Config
    package let hostConfig: HostConfig
    package let mounts: [Mount]?

    package struct State: Decodable, Sendable, Equatable {
        /// One of created, running, paused, restarting, removing, exited, dead.
        package var status: String
        package var exitCode: Int
        package var isOOMKilled: Bool?
        package var error: String?
        package var startedAt: String
        package var finishedAt: String
        package let health: Health?
        /// Process ID, on the engine's host, of the container's first process; 0 if the container is not running.
        package var processID: Int?

        package struct Health: Decodable, Sendable, Equatable {
            package let status: String
            enum CodingKeys: String, CodingKey { case status = "Status" }
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            let word = try values.decode(String.self, forKey: .status)
            status = Self.podmansWords[word] ?? word
            exitCode = try values.decode(Int.self, forKey: .exitCode)
            isOOMKilled = try values.decodeIfPresent(Bool.self, forKey: .isOOMKilled)
            error = try values.decodeIfPresent(String.self, forKey: .error)
            startedAt = try values.decode(String.self, forKey: .startedAt)
            finishedAt = try values.decode(String.self, forKey: .finishedAt)
            let health = try values.decodeIfPresent(Health.self, forKey: .health)
            // Podman returns a health with an empty status if there is no health check.
            self.health = health?.status.isEmpty == false ? health : nil
            processID = try values.decodeIfPresent(Int.self, forKey: .processID)
        }

        /// Translation of container states from Podman's names to Docker's (libpod/define/containerstate.go).
        private static let podmansWords = [
            "stopped": "exited", "stopping": "running", "configured": "created", "initialized": "created",
        ]

        enum CodingKeys: String, CodingKey {
            case status = "Status"
            case exitCode = "ExitCode"
            case isOOMKilled = "OOMKilled"
            case error = "Error"
            case startedAt = "StartedAt"
            case finishedAt = "FinishedAt"
            case health = "Health"
            case processID = "Pid"
        }
    }

    package struct Config: Decodable, Sendable {
        package let image: String
        package let environment: [String]?
        package let labels: [String: String]?
        package let isStdinOpen: Bool?
        /// The user of the first process, as set for the container, or else by its image.
        ///
        /// Empty if neither sets a user.
        package let user: String?

        enum CodingKeys: String, CodingKey {
            case image = "Image"
            case user = "User"
            case environment = "Env"
            case labels = "Labels"
            case isStdinOpen = "OpenStdin"
        }
    }

    package struct HostConfig: Decodable, Sendable {
        /// Published host ports, by container port in the form `2456/udp`.
        package let portBindings: [String: [Binding]?]?

        package struct Binding: Decodable, Sendable {
            package let hostPort: String
            enum CodingKeys: String, CodingKey { case hostPort = "HostPort" }
        }

        /// The container's network: `host`, `container:<id>`, `none`, or the name of a network.
        package let networkMode: String?

        let droppedCapabilities: [String]?
        let addedCapabilities: [String]?

        /// True if root in the container may signal other users' processes.
        ///
        /// The capability is named `KILL` by Docker and `CAP_KILL` by Podman.
        package var letsRootSignal: Bool {
            func names(_ list: [String]?, _ words: Set<String>) -> Bool {
                (list ?? []).contains { words.contains($0.uppercased()) }
            }
            return names(addedCapabilities, ["KILL", "CAP_KILL", "ALL"])
                || !names(droppedCapabilities, ["KILL", "CAP_KILL", "ALL"])
        }

        /// The policy by which the engine itself restarts the container.
        package let restartPolicy: RestartPolicy?

        package struct RestartPolicy: Decodable, Sendable {
            /// One of no, always, unless-stopped, on-failure.
            package let name: String
            enum CodingKeys: String, CodingKey { case name = "Name" }
        }

        enum CodingKeys: String, CodingKey {
            case portBindings = "PortBindings"
            case networkMode = "NetworkMode"
            case restartPolicy = "RestartPolicy"
            case droppedCapabilities = "CapDrop"
            case addedCapabilities = "CapAdd"
        }
    }

    package struct Mount: Decodable, Sendable {
        package let source: String?
        package let destination: String

        enum CodingKeys: String, CodingKey {
            case source = "Source"
            case destination = "Destination"
        }
    }

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case name = "Name"
        case image = "Image"
        case state = "State"
        case config = "Config"
        case hostConfig = "HostConfig"
        case mounts = "Mounts"
    }

    package var plainName: String { String(name.drop { $0 == "/" }) }
}
