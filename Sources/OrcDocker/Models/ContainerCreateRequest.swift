/// The body of a request to create a container.
package struct ContainerCreateRequest: Encodable, Sendable {
    package var image: String
    package var hostname: String
    package var user: String
    package var environment: [String]
    package var labels: [String: String]
    package var exposedPorts: [String: Empty]
    package var isStdinOpen = true
    /// True to close the container's stdin when the first client detaches; false here, to keep the console usable.
    package var isStdinOnce = false
    package var hostConfig: HostConfig
    package var networking: Networking

    package struct Empty: Encodable, Sendable {
        package init() {}
    }

    package struct HostConfig: Encodable, Sendable {
        package var binds: [String] = []
        package var portBindings: [String: [Binding]] = [:]
        package var networkMode = ""
        package var memory: Int?
        package var nanoCPUs: Int?
        package var pidsLimit: Int?
        package var droppedCapabilities: [String] = []
        package var addedCapabilities: [String] = []
        package var securityOptions: [String] = []
        /// True if the container's root file system is read-only.
        package var isReadOnly = false
        /// In-memory file systems (tmpfs): mount options by path in the container.
        package var temporary: [String: String] = [:]
        package var log = Log()

        package struct Binding: Encodable, Sendable {
            /// The host's IP address on which the port is published; nil for all addresses.
            package let hostAddress: String?
            package let hostPort: String

            package init(hostAddress: String?, hostPort: String) {
                self.hostAddress = hostAddress
                self.hostPort = hostPort
            }

            enum CodingKeys: String, CodingKey {
                case hostAddress = "HostIp"
                case hostPort = "HostPort"
            }
        }

        /// Log settings: the engine's JSON log files with a limited size, so that verbose games do not fill the disk.
        package struct Log: Encodable, Sendable {
            let type = "json-file"
            let config = ["max-size": "10m", "max-file": "3"]
            enum CodingKeys: String, CodingKey {
                case type = "Type"
                case config = "Config"
            }
        }

        package init() {}

        enum CodingKeys: String, CodingKey {
            case binds = "Binds"
            case portBindings = "PortBindings"
            case networkMode = "NetworkMode"
            case memory = "Memory"
            case nanoCPUs = "NanoCpus"
            case pidsLimit = "PidsLimit"
            case droppedCapabilities = "CapDrop"
            case addedCapabilities = "CapAdd"
            case securityOptions = "SecurityOpt"
            case isReadOnly = "ReadonlyRootfs"
            case temporary = "Tmpfs"
            case log = "LogConfig"
        }
    }

    package struct Networking: Encodable, Sendable {
        package var endpoints: [String: Endpoint]

        package init(endpoints: [String: Endpoint]) { self.endpoints = endpoints }

        package struct Endpoint: Encodable, Sendable {
            package var aliases: [String]
            package init(aliases: [String]) { self.aliases = aliases }
            enum CodingKeys: String, CodingKey { case aliases = "Aliases" }
        }

        enum CodingKeys: String, CodingKey { case endpoints = "EndpointsConfig" }
    }

    package init(image: String, hostname: String, user: String, environment: [String]) {
        self.image = image
        self.hostname = hostname
        self.user = user
        self.environment = environment
        labels = [:]
        exposedPorts = [:]
        hostConfig = HostConfig()
        networking = Networking(endpoints: [:])
    }

    enum CodingKeys: String, CodingKey {
        case image = "Image"
        case hostname = "Hostname"
        case user = "User"
        case environment = "Env"
        case labels = "Labels"
        case exposedPorts = "ExposedPorts"
        case isStdinOpen = "OpenStdin"
        case isStdinOnce = "StdinOnce"
        case hostConfig = "HostConfig"
        case networking = "NetworkingConfig"
    }
}
