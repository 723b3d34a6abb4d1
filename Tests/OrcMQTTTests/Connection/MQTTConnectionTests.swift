import Foundation
import Logging
import OrcContract
import OrcCore
import Subprocess
import Testbed
import Testing

@testable import OrcMQTT

@Suite struct BrokerURLTests {
    @Test(
        arguments: [
            ("mqtt://h", false, "h", 1883, nil, nil), ("mqtts://h", true, "h", 8883, nil, nil),
            ("mqtt://u:p@h:99/", false, "h", 99, "u", "p"), ("mqtt://u%40x:p%3A%2F@h", false, "h", 1883, "u@x", "p:/"),
            ("MQTT://h", false, "h", 1883, nil, nil), ("tcp://h:5", false, "h", 5, nil, nil),
            ("ssl://h", true, "h", 8883, nil, nil), ("TLS://h", true, "h", 8883, nil, nil),
            ("mqtt://u@[::1]:7", false, "::1", 7, "u", nil), ("mqtt://[::1]", false, "::1", 1883, nil, nil),
        ] as [(String, Bool, String, Int32, String?, String?)])
    func `a URL is read`(text: String, usesTLS: Bool, host: String, port: Int32, user: String?, password: String?)
        throws
    {
        let url = try #require(BrokerURL(text))
        #expect(url.usesTLS == usesTLS && url.host == host && url.port == port)
        #expect(url.user == user && url.password == password)
    }

    @Test(arguments: [
        "", "h", "http://h", "mqtt://", "mqtt://h:0", "mqtt://h:x", "mqtt://h/x", "mqtt://:p@h", "mqtt://u:%zz@h",
        "mqtt://a b",
    ])
    func `what is no broker's URL is refused`(text: String) {
        #expect(BrokerURL(text) == nil)
    }
}

@Suite struct VersionChooserTests {
    @Test func `auto falls back after two losses before the CONNACK and comes back after an hour`() {
        var chooser = VersionChooser(.auto)
        #expect(chooser.version(now: 0) == .v5)
        chooser.ended(accepted: false, now: 0)
        #expect(chooser.version(now: 0) == .v5)
        chooser.ended(accepted: false, now: 1)
        #expect(chooser.version(now: 1) == .v311)
        chooser.ended(accepted: true, now: 2)
        #expect(chooser.version(now: 3600) == .v311)
        chooser.ended(accepted: false, now: 3600)
        #expect(chooser.version(now: 3601) == .v311)
        #expect(chooser.version(now: 3602) == .v5)
    }

    @Test func `a broker that accepts neither has not said that it wants the older one`() {
        var chooser = VersionChooser(.auto)
        var spoken: [ProtocolVersion] = []
        for _ in 0..<6 {
            spoken.append(chooser.version(now: 0))
            chooser.ended(accepted: false, now: 0)
        }
        #expect(spoken == [.v5, .v5, .v311, .v5, .v5, .v311])
    }

    @Test func `a connection that was accepted counts for its version`() {
        var chooser = VersionChooser(.auto)
        for _ in 0..<5 {
            chooser.ended(accepted: false, now: 0)
            chooser.ended(accepted: true, now: 0)
        }
        #expect(chooser.version(now: 0) == .v5)
    }

    @Test func `waits double, are bounded, and vary by half`() {
        var backoff = Backoff(first: 1, most: 4)
        #expect([1, 1, 1, 1].map { backoff.next(random: $0) } == [1, 2, 4, 4])
        backoff.reset()
        #expect(backoff.next(random: 0) == 0.5)
    }
}

@Suite struct MQTTConnectionTests {
    private func logger() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func echo(_ options: MQTTConfiguration) async throws -> MQTTMessage {
        try await MQTTClient.with(options, logger: logger()) { client in
            try await client.subscribe(["peon/h/reply/me"])
            var sent = OutgoingMessage("peon/h/reply/me", Array("hello".utf8))
            sent.correlation = [0, 1, 255]
            sent.responseTopic = "peon/h/reply/you"
            // A second client sends it, as MQTT 5 does not hand a client its own messages here.
            var other = options
            other.clientID += "-other"
            let publication = sent
            try await MQTTClient.with(other, logger: Logger(label: "test")) { second in _ = second.publish(publication)
            }
            for await message in client.messages() { return message }
            throw Overdue("the message")
        }
    }

    /// Four threads publish at once, more than the socket takes.
    private func crowd(_ options: MQTTConfiguration) async throws {
        let (threads, each) = (4, 200)
        try await MQTTClient.with(options, logger: logger()) { client in
            try await client.subscribe(["peon/h/reply/#"])
            var other = options
            other.clientID += "-other"
            let heard = try await MQTTClient.with(other, logger: Logger(label: "test")) { second in
                for thread in 0..<threads {
                    Thread.detachNewThread {
                        for number in 0..<each {
                            let filling = String(repeating: "x", count: number * 40)
                            _ = second.publish(
                                OutgoingMessage("peon/h/reply/\(thread)", Array("\(number) \(filling)".utf8)))
                        }
                    }
                }
                return try await within(.seconds(20), "all messages") {
                    var heard: [String: [[UInt8]]] = [:]
                    for await message in client.messages() {
                        heard[message.topic, default: []].append(message.payload)
                        if heard.values.reduce(0, { $0 + $1.count }) == threads * each { break }
                    }
                    return heard
                }
            }
            #expect(heard.count == threads)
            for payloads in heard.values {
                #expect(payloads.map(\.count) == (0..<each).map { "\($0) ".utf8.count + $0 * 40 })
            }
        }
    }

    @Test func `what many threads publish at once arrives whole, in the order of each`() async throws {
        try await Broker.with { try await crowd($0.options()) }
    }

    @Test func `a message arrives whole, with what MQTT 5 adds`() async throws {
        try await Broker.with { broker in
            let message = try await echo(broker.options())
            #expect(message.payload == Array("hello".utf8) && message.correlation == [0, 1, 255])
            #expect(message.responseTopic == "peon/h/reply/you" && !message.isRetained)
        }
    }

    @Test func `3_1_1 works where it is asked for`() async throws {
        try await Broker.with { broker in
            var options = broker.options()
            options.version = .v311
            let answer = try await echo(options)
            #expect(answer.correlation == nil)
        }
    }

    @Test func `auto finds 3_1_1 on a broker that drops MQTT 5 without a CONNACK`() async throws {
        try await Broker.with { broker in
            try await OldBroker.with(before: broker.port) { port in
                var options = broker.options()
                options.broker.port = Int32(port)
                let answer = try await echo(options)
                #expect(answer.payload == Array("hello".utf8))
            }
        }
    }

    @Test func `user and password are asked for and taken`() async throws {
        let lines = "listener PORT 127.0.0.1\nallow_anonymous false\npassword_file FOLDER/passwd"
        try await Broker.with(lines, prepare: { try await Self.writePassword(in: $0) }) { broker in
            var options = broker.options()
            options.broker.user = "me"
            options.broker.password = "p@/ä"
            let answer = try await echo(options)
            #expect(answer.payload == Array("hello".utf8))
            options.broker.password = "wrong"
            let refused = options
            await #expect(throws: MQTTError.self) { try await self.echo(refused) }
        }
    }

    @Test func `TLS with an authority and a client's certificate`() async throws {
        let lines = """
            listener PORT 127.0.0.1
            allow_anonymous true
            cafile FOLDER/ca.pem
            certfile FOLDER/server.pem
            keyfile FOLDER/server.key
            require_certificate true
            """
        try await Broker.with(lines, prepare: { try await Self.writeCertificates(in: $0) }) { broker in
            var options = broker.options()
            options.broker.usesTLS = true
            options.broker.host = "localhost"
            let refused = options
            await #expect(throws: MQTTError.self) { try await self.echo(refused) }
            options.tls = .init(
                authorities: broker.folder.appending(path: "ca.pem").path(),
                certificate: broker.folder.appending(path: "client.pem").path(),
                key: broker.folder.appending(path: "client.key").path())
            let answer = try await echo(options)
            #expect(answer.payload == Array("hello".utf8))
            try await crowd(options)
        }
    }

    private static func writePassword(in folder: URL) async throws {
        let file = folder.appending(path: "passwd")
        try "me:p@/ä\n".write(to: file, atomically: true, encoding: .utf8)
        _ = try await Subprocess.run(
            .name("mosquitto_passwd"), arguments: ["-U", file.path()], output: .discarded, error: .discarded)
    }

    private static func writeCertificates(in folder: URL) async throws {
        let script = """
            cd "$1"
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
            for name in server client; do
                openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout $name.key -out $name.csr
                printf 'subjectAltName=DNS:localhost' > ext
                openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem
            done
            """
        _ = try await Subprocess.run(
            .name("sh"), arguments: ["-c", script, "sh", folder.path()], output: .discarded, error: .discarded)
    }
}

@Suite struct RetainedPublisherTests {
    @Test func `while the link is closed the newest report a topic is kept, and goes out when it opens`() async throws {
        try await Broker.with { broker in
            try await Probe.with(broker.options(), host: "h") { probe in
                let bus = MQTTConnection(broker.options(), logger: Logger(label: "test"))
                let reports = RetainedPublisher(bus: bus)
                for number in 1...3 {
                    reports.set(OutgoingMessage("peon/h/status/a", Array("\(number)".utf8), isRetained: true))
                }
                for number in 1...1005 { reports.emit(OutgoingMessage("peon/h/event/agent", Array("\(number)".utf8))) }
                try await withThrowingTaskGroup { group in
                    group.addTask { await bus.run() }
                    for await event in bus.events { if case .connected = event { break } }
                    try await reports.open(after: reports.closings)
                    _ = try await probe.next("the last event") { $0.payload == Array("1005".utf8) }
                    reports.set(OutgoingMessage("peon/h/status/a", Array("3".utf8), isRetained: true))
                    reports.set(OutgoingMessage("peon/h/status/a", Array("4".utf8), isRetained: true))
                    _ = try await probe.next("the fourth") { $0.payload == Array("4".utf8) }
                    group.cancelAll()
                }
                let reported = probe.messages.filter { $0.topic == "peon/h/status/a" }.map(\.payload)
                #expect(reported == [Array("3".utf8), Array("4".utf8)])
                let events = probe.messages.filter { $0.topic == "peon/h/event/agent" }
                #expect(events.count == 1000 && events.first?.payload == Array("6".utf8))
                #expect(bus.counters.dropped == 5 && bus.counters.queued == 0)
            }
        }
    }
}
