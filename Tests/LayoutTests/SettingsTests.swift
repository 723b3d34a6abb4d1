import Foundation
import Logging
import OrcAgent
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testing

@testable import orc

@Suite struct SettingsTests {
    private func file(_ text: String) throws -> String {
        let url = FileManager.default.temporaryDirectory.appending(path: "orc-settings-\(UUID().uuidString).env")
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path()
    }

    @Test func `the shipped file loads, with every key commented in`() throws {
        let url = LayoutTests.package.appending(path: "config/orc.env")
        let text = try String(contentsOf: url, encoding: .utf8)
        _ = try Settings(file: url.path(), environment: [:], flags: [])
        let all = text.components(separatedBy: "\n").map { line in
            line.hasPrefix("#") && line.contains("=") && !line.contains(" ") ? String(line.dropFirst()) : line
        }
        _ = try Settings(file: try file(all.joined(separator: "\n")), environment: [:], flags: [])
    }

    @Test func `the environment goes before the file, flags before both`() throws {
        let path = try file("ORC_HOST=one\nORC_ROOT=\"/srv/x\"\n# a comment\n\nORC_STOP_GRACE=7\n")
        let settings = try Settings(
            file: path, environment: ["ORC_HOST": "two", "ORC_STOP_GRACE": "8"], flags: ["ORC_STOP_GRACE=9"])
        #expect(try settings.host().description == "two")
        #expect(try settings.root() == "/srv/x")
        #expect(try settings.stopGrace() == 9)
    }

    @Test(arguments: [
        (["ORC_HOTS": "x"], "ORC_HOTS"), (["ORC_HOST": "A B"], "ORC_HOST"),
        (["ORC_MQTT_URL": "http://x"], "ORC_MQTT_URL"),
        (["ORC_STOP_GRACE": "soon"], "ORC_STOP_GRACE"), (["DOCKER_HOST": "ssh://x"], "DOCKER_HOST"),
        (["ORC_LOG_LEVEL": "loud"], "ORC_LOG_LEVEL"), (["ORC_LOG_FORMAT": "xml"], "ORC_LOG_FORMAT"),
        (["ORC_MQTT_VERSION": "4"], "ORC_MQTT_VERSION"), (["ORC_ROOT": "relative"], "ORC_ROOT"),
        (["ORC_MQTT_PASSWORD_FILE": "/no/such/file"], "ORC_MQTT_PASSWORD_FILE"),
        (["ORC_METRICS_INTERVAL": "10"], "ORC_METRICS_INTERVAL"),
        (["ORC_METRICS_INTERVAL": "2h"], "ORC_METRICS_INTERVAL"),
        (["ORC_METRICS_INTERVAL": "0s"], "ORC_METRICS_INTERVAL"), (["ORC_WARN_DISK": "101"], "ORC_WARN_DISK"),
        (["ORC_WARN_MEMORY": "much"], "ORC_WARN_MEMORY"), (["ORC_WARN_PRESSURE": "-1"], "ORC_WARN_PRESSURE"),
        (["ORC_BROKER_LISTEN": "nowhere:0"], "ORC_BROKER_LISTEN"), (["ORC_CONFIG": "/no/such/file"], "/no/such/file"),
    ])
    func `what cannot be read stops the start by name`(environment: [String: String], name: String) {
        let error = #expect(throws: SettingsError.self) {
            try Settings(file: nil, environment: environment, flags: [])
        }
        #expect(error?.description.contains(name) == true)
    }

    @Test func `an unknown key in the file stops the start, in the environment others' keys do not`() throws {
        #expect(throws: SettingsError.self) { try Settings(file: try file("HOSTNAME=x"), environment: [:], flags: []) }
        #expect(throws: SettingsError.self) { try Settings(file: try file("just words"), environment: [:], flags: []) }
        #expect(throws: Never.self) {
            try Settings(file: nil, environment: ["HOSTNAME": "x", "PATH": "/bin"], flags: [])
        }
        // As Kubernetes has them for a service called orc.
        let others = ["ORC_PORT": "tcp://x:5000", "ORC_SERVICE_HOST": "x"]
        #expect(try Settings(file: nil, environment: others, flags: []).unknownVariables == others.keys.sorted())
    }

    @Test func `a bad URL is refused without telling its password`() {
        let error = #expect(throws: SettingsError.self) {
            try Settings(file: nil, environment: ["ORC_MQTT_URL": "mqt://me:hunter2@h"], flags: [])
        }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test(arguments: [
        "# mine\r\nORC_HOST=x\r\nORC_ZONE=UTC\r\n", "\u{FEFF}ORC_HOST=x\nORC_ZONE=UTC",
        "export ORC_HOST=x\n  export  ORC_ZONE=UTC \n",
        "ORC_HOST=\"x\"\n\n#\n\tORC_ZONE='UTC'\t\r\n",
    ])
    func `a file is read however it was saved`(text: String) throws {
        let settings = try Settings(file: try file(text), environment: [:], flags: [])
        #expect(try settings.host().description == "x" && settings.zone() == "UTC")
        #expect(throws: SettingsError.self) {
            try Settings(file: try file(text + "\r\nORC_METRICS_INTERVAL=banana\r\n"), environment: [:], flags: [])
        }
    }

    @Test(arguments: [
        ("ORC_HOST=\"h2\" # mine", "h2"), ("ORC_HOST='h2'\t# mine", "h2"), ("ORC_HOST=\"h2\"#", "h2"),
        ("ORC_HOST =h2", "h2"),
        ("export\tORC_HOST=h2", "h2"), ("ORC_HOST=\"h2", nil), ("ORC_HOST=\"h2\" x", nil), ("ORC_HOST=\"", nil),
    ])
    func `a comment may follow quotes, which must be closed`(line: String, host: String?) throws {
        let pairs = try? EnvironmentFile.parse(line + "\n", file: "f")
        #expect(pairs?.first?.value == host && (host == nil || pairs?.first?.key == "ORC_HOST"))
    }

    @Test func `a comment behind a value, and a file that is no text, are told`() throws {
        let commented = try file("ORC_HOST=x # mine\n")
        let error = #expect(throws: SettingsError.self) { try Settings(file: commented, environment: [:], flags: []) }
        #expect(error?.description.contains("line 1: a comment") == true)
        #expect(try Settings(file: try file("API_KEY='a # b'"), environment: [:], flags: []).given(.apiKey) == "a # b")
        #expect(throws: SettingsError.self) { try Settings(file: "/bin/true", environment: [:], flags: []) }
    }

    @Test func `several brokers stand in one setting, in their order`() throws {
        let settings = try Settings(
            file: nil, environment: ["ORC_MQTT_URL": "mqtt://u@a, mqtts://b:99", "ORC_MQTT_PASSWORD": "p"], flags: [])
        let brokers = try settings.brokers()
        #expect(brokers.map(\.place) == ["a:1883", "b:99 (TLS)"] && brokers.map(\.password) == ["p", nil])
        #expect(throws: SettingsError.self) {
            try Settings(file: nil, environment: ["ORC_MQTT_URL": "mqtt://a,"], flags: [])
        }
        #expect(throws: SettingsError.self) {
            try Settings(file: nil, environment: ["ORC_HTTP_LISTEN": "*:5000"], flags: [])
        }
    }

    @Test func `a password may come from a file`() throws {
        let settings = try Settings(
            file: nil, environment: ["ORC_MQTT_URL": "mqtt://me@h", "ORC_MQTT_PASSWORD_FILE": try file("s3cret\n")],
            flags: [])
        #expect(try settings.brokers().first?.password == "s3cret")
    }

    @Test func `PEON's own variables work`() throws {
        let settings = try Settings(
            file: nil,
            environment: [
                "API_KEY": "k", "DEV_MODE": "enabled", "HOST_DIR": "/srv/peon", "VERSION": "1.2.12",
                "DOCKER_SOCKET_PATH": "/x/docker.sock",
            ], flags: [])
        #expect(try settings.agent().hostRoot == "/srv/peon")
        #expect(settings.version == "1.2.12")
        #expect(try settings.logLevel() == .debug)
        #expect(try settings.engine() == .unix(path: "/x/docker.sock"))
    }
}
