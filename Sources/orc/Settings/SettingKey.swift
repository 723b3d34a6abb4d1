/// Every key that Orc knows: in `orc.env`, in the environment, or behind `--set`.
enum SettingKey: String, CaseIterable {
    case host = "ORC_HOST"
    case root = "ORC_ROOT"
    case mqttURL = "ORC_MQTT_URL"
    case mqttPassword = "ORC_MQTT_PASSWORD"
    case mqttAuthorities = "ORC_MQTT_CA"
    case mqttCertificate = "ORC_MQTT_CERT"
    case mqttKey = "ORC_MQTT_KEY"
    case mqttVersion = "ORC_MQTT_VERSION"
    case brokerListen = "ORC_BROKER_LISTEN"
    case dockerHost = "DOCKER_HOST"
    case dockerSocket = "DOCKER_SOCKET_PATH"
    case dockerCertificates = "DOCKER_CERT_PATH"
    case hostRoot = "HOST_DIR"
    case plansURL = "ORC_PLANS_URL"
    case plansUpdate = "ORC_PLANS_UPDATE"
    case stopGrace = "ORC_STOP_GRACE"
    case zone = "ORC_ZONE"
    case historyKeep = "ORC_HISTORY_KEEP"
    case historyMost = "ORC_HISTORY_MOST"
    case metricsInterval = "ORC_METRICS_INTERVAL"
    case warnDisk = "ORC_WARN_DISK"
    case warnMemory = "ORC_WARN_MEMORY"
    case warnPressure = "ORC_WARN_PRESSURE"
    case publicIP = "PUBLIC_IP"
    case networks = "ORC_NETWORKS"
    case logLevel = "ORC_LOG_LEVEL"
    case logFormat = "ORC_LOG_FORMAT"
    case developerMode = "DEV_MODE"
    case version = "VERSION"
    case apiKey = "API_KEY"
    case httpListen = "ORC_HTTP_LISTEN"
    case httpHosts = "ORC_HTTP_HOSTS"
    case httpOrigins = "ORC_HTTP_ORIGINS"
    case httpProxies = "ORC_HTTP_PROXIES"
    case httpCertificate = "ORC_HTTP_CERT"
    case httpKey = "ORC_HTTP_KEY"

    /// What stands in `config/orc.env`; empty for what is unset.
    var standard: String {
        switch self {
        case .root: "/var/lib/orc"
        case .mqttVersion: "auto"
        case .brokerListen: "127.0.0.1:1883"
        case .dockerHost: "unix:///var/run/docker.sock"
        case .plansURL: "https://github.com/the-peon-project/peon-warplans.git"
        case .plansUpdate: "create"
        case .stopGrace: "60"
        case .historyKeep: "90d"
        case .historyMost: "100000"
        case .metricsInterval: "10s"
        case .warnDisk: "90"
        case .warnMemory: "95"
        case .warnPressure: "20"
        case .networks: "10.213.0.0/16"
        case .logLevel: "info"
        case .logFormat: "text"
        case .httpListen: "127.0.0.1:5000"
        case .httpHosts: "all"
        case .httpOrigins: "*"
        case .host, .mqttURL, .mqttPassword, .mqttAuthorities, .mqttCertificate, .mqttKey, .dockerSocket,
            .dockerCertificates, .hostRoot, .zone, .publicIP, .developerMode, .version, .apiKey, .httpProxies,
            .httpCertificate, .httpKey:
            ""
        }
    }

    var summary: String {
        switch self {
        case .host: "The machine's name on the bus, [a-z0-9-]{1,32}; unset: the machine's own name made to fit."
        case .root: "The folder of plans, servers, backups and Orc's own files."
        case .mqttURL:
            "mqtt://user:password@host:1883 or mqtts://…, several parted by commas; unset: Orc starts a broker of its own."
        case .mqttPassword: "The broker's password, in place of one in the URL."
        case .mqttAuthorities: "A PEM file with the authorities to trust; unset: the system's."
        case .mqttCertificate: "A PEM file with the client's certificate."
        case .mqttKey: "A PEM file with the certificate's key."
        case .mqttVersion: "auto, 5 or 3.1.1."
        case .brokerListen: "Where Orc's own broker listens."
        case .dockerHost: "The container engine: unix:///path or tcp://host:port."
        case .dockerSocket: "PEON's name for the engine's socket: a path."
        case .dockerCertificates: "A folder with ca.pem, cert.pem and key.pem for an engine behind TLS."
        case .hostRoot: "ORC_ROOT as the engine's host names it; unset: the same, or found from Orc's own mounts."
        case .plansURL: "The git repository of the plans."
        case .plansUpdate: "When it is asked for newer plans: create (before a server is made), daily or never."
        case .stopGrace: "Seconds that a server gets to stop where neither its plan nor the command says."
        case .zone: "The time zone of schedules that name none, such as Europe/Berlin; unset: the machine's."
        case .historyKeep: "How long it is remembered who asked for what: 12h, 90d."
        case .historyMost: "How many commands are remembered so at most."
        case .metricsInterval: "How often it is measured what servers and the machine use: 1s to 1h."
        case .warnDisk: "The percentage of a disk in use, of servers or backups, at which Orc warns; 0: never."
        case .warnMemory: "The percentage of the machine's memory in use at which it warns; 0: never."
        case .warnPressure: "The percentage of the time that something waits for memory at which it warns; 0: never."
        case .publicIP: "The address at which players reach this machine; handed to the containers."
        case .networks:
            "Addresses for servers' networks once the engine's own pools are used up, in sixteens; none: only the pools."
        case .logLevel: "trace, debug, info, warning or error."
        case .logFormat: "text or json."
        case .developerMode: "Set to anything but 0, false or disabled, it turns debug logs on."
        case .version: "The version that Orc reports; unset: its own."
        case .apiKey: "The admin key of PEON's REST clients; unset: keys are made with orc keys, a first one by itself."
        case .httpListen: "Where the REST bridge listens; empty: there is none."
        case .httpHosts: "The hosts that the bridge serves: all on the broker, or own."
        case .httpOrigins: "The origins whose pages may call the bridge, parted by commas; * for all."
        case .httpProxies: "Proxies whose X-Forwarded-For is believed: addresses or networks, parted by commas."
        case .httpCertificate: "A PEM file with the bridge's certificate and its chain; unset: plain HTTP."
        case .httpKey: "A PEM file with that certificate's key."
        }
    }

    /// Whether `<key>_FILE` may name a file that holds the value.
    var isSecret: Bool {
        switch self {
        case .mqttURL, .mqttPassword, .apiKey: true
        case .host, .root, .mqttAuthorities, .mqttCertificate, .mqttKey, .mqttVersion, .brokerListen, .dockerHost,
            .dockerSocket, .dockerCertificates, .hostRoot, .plansURL, .plansUpdate, .stopGrace, .zone, .historyKeep,
            .historyMost,
            .metricsInterval, .warnDisk, .warnMemory, .warnPressure, .publicIP, .networks, .logLevel,
            .logFormat, .developerMode, .version, .httpListen, .httpHosts, .httpOrigins, .httpProxies, .httpCertificate,
            .httpKey:
            false
        }
    }
}
