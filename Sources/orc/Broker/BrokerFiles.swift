import Glibc
import OrcContract
import OrcCore
import OrcFiles
import OrcMQTT
import OrcPlans
import Subprocess

/// The files of the embedded broker, below `<root>/orc/broker`.
struct BrokerFiles: Sendable {
    let folder: String
    let host: HostName
    let listen: (address: String, port: Int)

    init(root: String, host: HostName, listen: (address: String, port: Int)) {
        folder = "\(root)/orc/broker"
        self.host = host
        self.listen = listen
    }

    var configuration: String { "\(folder)/mosquitto.conf" }
    var log: String { "\(folder)/mosquitto.log" }

    /// The broker's user for people and programs on this host, who may read every topic and send every command.
    static let operatorUser = "operator"

    enum Failure: Error, CustomStringConvertible {
        case noTool(String)
        case portTaken(String)
        case noCredentials(String)

        var description: String {
            switch self {
            case .noTool(let reason):
                "mosquitto is not installed, or does not work: \(reason). Install it, or set ORC_MQTT_URL"
            case .portTaken(let listen):
                "\(listen) is taken by another program: set ORC_MQTT_URL to use that broker, or ORC_BROKER_LISTEN"
            case .noCredentials(let path): "\(path) cannot be read: is the agent set up, and may you read its folder?"
            }
        }
    }

    /// Writes the configuration; existing passwords are kept.
    ///
    /// If the disk is full, the files of an earlier start are used.
    func prepare() async throws {
        do { try await write() } catch FileError.noSpace {
            let directory = try DirectoryHandle(path: folder)
            let files = ["passwd", "acl", "mosquitto.conf", "\(host).password", "\(Self.operatorUser).password"]
            guard files.allSatisfy({ directory.kind(of: $0) == .file }) else { throw FileError.noSpace(path: folder) }
        }
    }

    private func write() async throws {
        let directory = try DirectoryHandle(path: folder)
        let own = try password(of: "\(host)", in: directory)
        let operators = try password(of: Self.operatorUser, in: directory)
        try directory.write(
            Array("\(host):\(own)\n\(Self.operatorUser):\(operators)\n".utf8), to: "passwd.new", mode: 0o600)
        try await hashPasswords("passwd.new")
        try directory.rename("passwd.new", to: "passwd")
        try directory.write(Array(accessList.utf8), to: "acl", mode: 0o600)
        try directory.write(Array(configurationText.utf8), to: "mosquitto.conf", mode: 0o600)
        _ = try directory.makingFolder("store", mode: 0o700)
        if let broker = Self.brokerUser { try directory.giveTree(to: broker) }
    }

    /// Waits until the port is free, for five seconds at most: the broker of a killed agent takes a moment to exit.
    func awaitFreePort() async throws {
        for _ in 0..<100 {
            if !TCPPort.answers(listen.address, listen.port) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure.portTaken("\(listen.address):\(listen.port)")
    }

    /// Waits until the broker accepts connections, for five seconds at most.
    func awaitAnswer() async {
        let end = ContinuousClock.now + .seconds(5)
        while !TCPPort.answers(listen.address, listen.port), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
        }
    }

    func url(user: String) throws -> BrokerURL {
        // The reason for a failed read is ignored: the remedy is the same.
        guard let bytes = try? DirectoryHandle(path: folder).read("\(user).password", limit: 256), !bytes.isEmpty,
            var url = BrokerURL("mqtt://\(listen.address):\(listen.port)")
        else { throw Failure.noCredentials("\(folder)/\(user).password") }
        url.user = user
        url.password = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return url
    }

    private func password(of user: String, in directory: DirectoryHandle) throws -> String {
        if let bytes = try directory.read("\(user).password", limit: 256), !bytes.isEmpty {
            return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        }
        let password = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
        try directory.write(Array("\(password)\n".utf8), to: "\(user).password", mode: 0o600)
        return password
    }

    /// Hashes the passwords in a file that the broker does not use yet.
    ///
    /// The broker would reject all clients if its password file were incomplete or contained unhashed passwords.
    private func hashPasswords(_ file: String) async throws {
        do {
            let result = try await Subprocess.run(
                .name("mosquitto_passwd"), arguments: ["-U", "\(folder)/\(file)"], output: .discarded,
                error: .string(limit: 4096))
            guard result.terminationStatus.isSuccess else {
                if result.standardError.contains("No space left") { throw FileError.noSpace(path: folder) }
                throw Failure.noTool(result.standardError)
            }
        } catch let error where error is Failure || error is FileError {
            throw error
        } catch {
            throw Failure.noTool("\(error)")
        }
    }

    /// The user that mosquitto switches to when it is started as root; nil if it does not switch.
    private static var brokerUser: DirectoryHandle.Owner? {
        guard geteuid() == 0, let user = getpwnam("mosquitto") else { return nil }
        return DirectoryHandle.Owner(user: user.pointee.pw_uid, group: user.pointee.pw_gid)
    }

    private var configurationText: String {
        """
        # Written by orc at each start.
        listener \(listen.port) \(listen.address)
        allow_anonymous false
        password_file \(folder)/passwd
        acl_file \(folder)/acl
        persistence true
        persistence_location \(folder)/store/
        autosave_interval 60
        set_tcp_nodelay true
        message_size_limit 1048576
        log_dest stdout
        log_type error
        log_type warning
        \(geteuid() == 0 && Self.brokerUser == nil ? "user root\n" : "")
        """
    }

    private var accessList: String {
        """
        # Written by orc at each start.
        user \(host)
        topic readwrite peon/\(host)/#
        topic write homeassistant/device/\(host)/+/config
        topic read homeassistant/status

        user \(Self.operatorUser)
        topic read peon/#
        topic write peon/+/cmd/#
        topic readwrite homeassistant/#

        """
    }
}
