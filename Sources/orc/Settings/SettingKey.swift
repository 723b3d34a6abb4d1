/// The settings of Orc, each of which may be given in `orc.env`, in the environment, or by `--set`.
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

    /// The default value in `config/orc.env`; empty if the setting has none.
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
        case .host: "The host's name in MQTT topics, [a-z0-9-]{1,32}; unset: the host name of the system, adapted."
        case .root: "The folder for plans, servers, backups and Orc's own files."
        case .mqttURL:
            "mqtt://user:password@host:1883 or mqtts://…, several separated by commas; unset: Orc starts its own broker."
        case .mqttPassword: "The broker's password; replaces one in the URL."
        case .mqttAuthorities: "A PEM file with the trusted certificate authorities; unset: the system's."
        case .mqttCertificate: "A PEM file with the client's certificate."
        case .mqttKey: "A PEM file with the certificate's key."
        case .mqttVersion: "auto, 5 or 3.1.1."
        case .brokerListen: "The address and port of Orc's own broker."
        case .dockerHost: "The container engine: unix:///path or tcp://host:port."
        case .dockerSocket: "The path of the engine's socket, under PEON's name for this setting."
        case .dockerCertificates: "A folder with ca.pem, cert.pem and key.pem, for an engine that uses TLS."
        case .hostRoot: "The path of ORC_ROOT on the engine's host; unset: the same, or found from Orc's own mounts."
        case .plansURL: "The git repository of the plans."
        case .plansUpdate: "When plans are updated: create (before a server is created), daily or never."
        case .stopGrace: "Seconds that a server has to stop if neither its plan nor the command gives a time."
        case .zone: "The time zone of schedules that name none, such as Europe/Berlin; unset: the host's."
        case .historyKeep: "How long the history of commands is kept: 12h, 90d."
        case .historyMost: "Maximum number of commands in the history."
        case .metricsInterval: "The interval of metrics of servers and of the host: 1s to 1h."
        case .warnDisk: "Percentage of a disk of servers or backups in use at which Orc warns; 0: never."
        case .warnMemory: "Percentage of the host's memory in use at which Orc warns; 0: never."
        case .warnPressure: "Percentage of time that processes wait for memory at which Orc warns; 0: never."
        case .publicIP: "The address at which players reach this host; passed to the containers."
        case .networks:
            "Addresses for servers' networks, 16 for each, once the engine's own pools are used up; none: only the pools."
        case .logLevel: "trace, debug, info, warning or error."
        case .logFormat: "text or json."
        case .developerMode: "Enables debug logs, unless it is 0, false, disabled, no or off."
        case .version: "The version that Orc reports; unset: Orc's own."
        case .apiKey: "The admin key of PEON's REST clients; unset: keys from orc keys; Orc creates the first one."
        case .httpListen: "The address and port of the REST bridge; empty: no bridge."
        case .httpHosts: "The hosts that the bridge serves: all (every host on the broker) or own."
        case .httpOrigins: "The origins whose pages may call the bridge, separated by commas; * for all."
        case .httpProxies: "Proxies whose X-Forwarded-For is trusted: addresses or networks, separated by commas."
        case .httpCertificate: "A PEM file with the bridge's certificate and its chain; unset: plain HTTP."
        case .httpKey: "A PEM file with that certificate's key."
        }
    }

    /// True if `<key>_FILE` may name a file that holds the value.
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
