import FoundationEssentials
import Glibc
import Logging
import OrcAgent
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import OrcPlans

/// The merged settings: flags override the environment, which overrides the file.
struct Settings: Sendable {
    private let values: [SettingKey: String]
    /// Value of the environment variable TZ, which other programs use too; nil if TZ is not set.
    private let machineZone: String?
    /// Environment variables that look like settings but are unknown.
    let unknownVariables: [String]

    static let standardFile = "/etc/orc/orc.env"

    /// Reads and checks all settings.
    ///
    /// `file`: a file that must exist; nil for the standard file, which may be missing.
    ///
    /// `flags`: `KEY=VALUE` from the command line.
    init(file: String?, environment: [String: String], flags: [String]) throws(SettingsError) {
        var values: [SettingKey: String] = [:]
        var unknown: [String] = []
        let path = file ?? environment["ORC_CONFIG"] ?? Self.standardFile
        if let text = try Self.text(of: path) {
            for (key, value) in try EnvironmentFile.parse(text, file: path) {
                try Self.take(key, value, from: path, isStrict: true, into: &values)
            }
        } else if file != nil || environment["ORC_CONFIG"] != nil {
            throw .missing(file: path)
        }
        for (key, value) in environment.sorted(by: { $0.key < $1.key }) where key != "ORC_CONFIG" {
            // A likely typing error stops the start. Other unknown names are only reported: Kubernetes sets such
            // variables for a service called orc.
            let isMeant = key.hasPrefix("ORC_") && Suggestion.nearest(to: key, of: Self.known, most: 1) != nil
            let isKnown = try Self.take(key, value, from: "the environment", isStrict: isMeant, into: &values)
            if !isKnown, key.hasPrefix("ORC_") { unknown.append(key) }
        }
        unknownVariables = unknown
        for flag in flags {
            guard let equals = flag.firstIndex(of: "=") else { throw .unknown(key: flag, place: "--set") }
            try Self.take(
                String(flag[..<equals]), String(flag[flag.index(after: equals)...]), from: "--set", isStrict: true,
                into: &values)
        }
        self.values = values
        machineZone = environment["TZ"]
        try check()
    }

    private static let known = SettingKey.allCases.map(\.rawValue)

    /// Stores the value of a setting.
    ///
    /// - Returns: true if the key is a setting.
    @discardableResult
    private static func take(
        _ key: String, _ value: String, from place: String, isStrict: Bool, into values: inout [SettingKey: String]
    ) throws(SettingsError) -> Bool {
        if let setting = SettingKey(rawValue: key) {
            values[setting] = value
            return true
        }
        if key.hasSuffix("_FILE"), let setting = SettingKey(rawValue: String(key.dropLast(5))), setting.isSecret {
            guard let text = try text(of: value) else { throw .file(key: key, path: value) }
            values[setting] = String(text.prefix { $0 != "\n" && $0 != "\r\n" && $0 != "\r" })
            return true
        }
        if isStrict { throw .unknown(key: key, place: place) }
        return false
    }

    /// Returns the text of a file; nil if there is no such file.
    ///
    /// - Throws: if the file cannot be read, or is no text.
    private static func text(of path: String) throws(SettingsError) -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        // The file's name is enough: the cause of a failed read is not reported.
        guard let data = try? Data(contentsOf: URL(filePath: path)), let text = String(validating: data, as: UTF8.self)
        else { throw .missing(file: path) }
        return text
    }

    private subscript(setting: SettingKey) -> String {
        if let value = values[setting], !value.isEmpty { return value }
        return setting.standard
    }

    func given(_ setting: SettingKey) -> String? { self[setting].isEmpty ? nil : self[setting] }

    func read<Value>(_ setting: SettingKey, _ wanted: String, _ parse: (String) -> Value?) throws(SettingsError)
        -> Value
    {
        guard let value = parse(self[setting]) else {
            throw .unreadable(
                key: setting.rawValue, value: setting.isSecret ? SecretRedactor.mask : self[setting], wanted: wanted)
        }
        return value
    }

    /// Reads every value once, so that an invalid value causes an error at the start and not in a later command.
    private func check() throws(SettingsError) {
        _ = try host()
        _ = try root()
        _ = try brokers()
        _ = try brokerListen()
        _ = try mqttVersion()
        _ = try engine()
        _ = try plansUpdate()
        _ = try stopGrace()
        _ = try zone()
        _ = try history()
        _ = try metricsInterval()
        _ = try limits()
        _ = try networks()
        _ = try publicIP()
        _ = try logLevel()
        _ = try logsJSON()
        _ = try bridge()
    }

    func host() throws(SettingsError) -> HostName {
        guard given(.host) != nil else { return HostName(fitting: Self.machineName()) }
        return try read(.host, "[a-z0-9-]{1,32}", { HostName($0) })
    }

    private static func machineName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func root() throws(SettingsError) -> String {
        try read(.root, "an absolute path without a colon") { path in
            path.hasPrefix("/") && !path.contains(":")
                ? (path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path) : nil
        }
    }

    /// The brokers in the order in which they are tried; empty if Orc starts its own.
    func brokers() throws(SettingsError) -> [BrokerURL] {
        guard given(.mqttURL) != nil else { return [] }
        var urls = try read(.mqttURL, "mqtt://user:password@host:1883 or mqtts://…, several parted by commas") { text in
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            let urls = parts.compactMap { BrokerURL(String($0.drop { $0 == " " })) }
            return urls.count == parts.count ? urls : nil
        }
        if let password = given(.mqttPassword) {
            for index in urls.indices where urls[index].user != nil { urls[index].password = password }
        }
        return urls
    }

    func brokerListen() throws(SettingsError) -> (address: String, port: Int) {
        try read(.brokerListen, "an address of this machine and a port, such as 127.0.0.1:1883", Self.address)
    }

    static func address(_ text: String) -> (address: String, port: Int)? {
        guard let url = BrokerURL("mqtt://\(text)"), url.user == nil, !url.host.contains("*"),
            text.last?.isNumber == true,
            let colon = text.lastIndex(of: ":"), !text[colon...].contains("]")
        else { return nil }
        return (url.host, Int(url.port))
    }

    /// True if a setting was explicitly given an empty value.
    func isEmptied(_ setting: SettingKey) -> Bool { values[setting]?.isEmpty == true }

    func mqttVersion() throws(SettingsError) -> MQTTConfiguration.VersionChoice {
        try read(.mqttVersion, "auto, 5 or 3.1.1") { MQTTConfiguration.VersionChoice(rawValue: $0) }
    }

    var tlsFiles: MQTTConfiguration.TLSFiles {
        MQTTConfiguration.TLSFiles(
            authorities: given(.mqttAuthorities), certificate: given(.mqttCertificate), key: given(.mqttKey))
    }

    func engine() throws(SettingsError) -> DockerEndpoint {
        if let socket = given(.dockerSocket), values[.dockerHost] == nil {
            guard let endpoint = DockerEndpoint(socket) else {
                throw .unreadable(key: SettingKey.dockerSocket.rawValue, value: socket, wanted: "a path")
            }
            return endpoint
        }
        let folder = given(.dockerCertificates)
        return try read(.dockerHost, "unix:///path or tcp://host:port") { DockerEndpoint($0, tlsFolder: folder) }
    }

    func stopGrace() throws(SettingsError) -> Int {
        try read(.stopGrace, "a whole number of seconds from 0 to 3600") {
            Int($0).flatMap { (0...3600).contains($0) ? $0 : nil }
        }
    }

    /// The address range from which servers' networks are taken; nil if only the engine's own pools are used.
    func networks() throws(SettingsError) -> Subnet? {
        if self.given(.networks) == "none" { return nil }
        return try read(.networks, "a range of IPv4 addresses such as 10.213.0.0/16, or none") { Subnet($0) }
    }

    /// The time zone of schedules that do not specify a time zone.
    func zone() throws(SettingsError) -> String {
        guard given(.zone) != nil else { return TimeZoneDatabase.machineZone(machineZone) }
        // Any error means that the value is invalid.
        return try read(.zone, "a time zone that this machine knows") { (try? TimeZoneDatabase().rules($0))?.name }
    }

    func history() throws(SettingsError) -> AgentSettings.History {
        var history = AgentSettings.History()
        history.age = try read(.historyKeep, "a span of time such as 12h or 90d") { DurationText.seconds($0) }
        history.most = try read(.historyMost, "a whole number from 0 to 10000000") {
            Int($0).flatMap { (0...10_000_000).contains($0) ? $0 : nil }
        }
        return history
    }

    /// The interval of metrics in seconds.
    func metricsInterval() throws(SettingsError) -> Int {
        try read(.metricsInterval, "a span of time from 1s to 1h, with its unit") {
            Int($0) == nil ? DurationText.seconds($0).flatMap { (1...3600).contains($0) ? $0 : nil } : nil
        }
    }

    func limits() throws(SettingsError) -> HostLimits {
        HostLimits(
            disk: try percent(.warnDisk), memory: try percent(.warnMemory), memoryPressure: try percent(.warnPressure))
    }

    /// A percentage at which Orc warns; nil for 0, which disables the warning.
    private func percent(_ setting: SettingKey) throws(SettingsError) -> Double? {
        let percent = try read(setting, "a number from 0 to 100") {
            Double($0).flatMap { (0...100).contains($0) ? $0 : nil }
        }
        return percent > 0 ? percent : nil
    }

    func logLevel() throws(SettingsError) -> Logger.Level {
        let level = try read(.logLevel, "trace, debug, info, warning or error") { Logger.Level(rawValue: $0) }
        let isDeveloper = !["", "0", "false", "disabled", "no", "off"].contains(self[.developerMode].lowercased())
        return isDeveloper ? min(level, .debug) : level
    }

    func logsJSON() throws(SettingsError) -> Bool {
        try read(.logFormat, "text or json") { $0 == "json" ? true : $0 == "text" ? false : nil }
    }

    var version: String { given(.version) ?? Version.current }

    func plansUpdate() throws(SettingsError) -> AgentSettings.PlansUpdate {
        try read(.plansUpdate, "create, daily or never", AgentSettings.PlansUpdate.init)
    }

    /// The address to which players connect; nil if no address is given.
    private func publicIP() throws(SettingsError) -> String? {
        guard let address = given(.publicIP) else { return nil }
        guard (1...255).contains(address.utf8.count),
            address.utf8.allSatisfy({ $0.isAlphanumeric || ".-:".utf8.contains($0) })
        else {
            throw .unreadable(
                key: SettingKey.publicIP.rawValue, value: address, wanted: "an address or a name of this machine")
        }
        return address
    }

    func agent() throws(SettingsError) -> AgentSettings {
        var settings = AgentSettings(host: try host(), root: try root(), plansURL: self[.plansURL], version: version)
        settings.hostRoot = given(.hostRoot)
        settings.publicIP = try publicIP()
        settings.plansUpdate = try plansUpdate()
        settings.networkRange = try networks()
        settings.stopGrace = try stopGrace()
        settings.zone = try zone()
        settings.history = try history()
        settings.metricsInterval = try metricsInterval()
        settings.limits = try limits()
        return settings
    }
}

/// Orc's own version.
enum Version {
    static let current = "3.0.0"
}
