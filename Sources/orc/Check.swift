import Agent
import ArgumentParser
import Bus
import Docker
import FoundationEssentials
import Glibc
import Peon
import Plans

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks at what Orc needs; each line says what is wrong, and what to do.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try Wiring(try flags.settings(), isQuiet: true)
        let findings = try await Examination(wiring: wiring).findings()
        for finding in findings { StandardOutput.print(finding.line) }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode(1) }
    }
}

/// One line of the check.
private struct Finding {
    let isGood: Bool
    let line: String

    static func good(_ text: String) -> Finding { Finding(isGood: true, line: "ok    \(text)") }
    static func bad(_ text: String, remedy: String) -> Finding {
        Finding(isGood: false, line: "wrong \(text): \(remedy)")
    }
}

private struct Examination {
    let wiring: Wiring

    func findings() async throws -> [Finding] {
        let settings = try wiring.settings.agent()
        var findings = [folders(settings.root)]
        findings.append(await engine(try wiring.settings.engine()))
        findings.append(await broker())
        findings.append(zone(settings.zone))
        findings += plans(settings.plans)
        findings += servers(settings.servers)
        return findings
    }

    private func folders(_ root: String) -> Finding {
        var place = root
        while place.count > 1, access(place, F_OK) != 0, let slash = place.lastIndex(of: "/") {
            place = slash == place.startIndex ? "/" : String(place[..<slash])
        }
        guard access(place, W_OK) == 0 else {
            return .bad("\(root) cannot be written", remedy: "run as root, or give \(place) to this user")
        }
        let rights =
            geteuid() == 0 || geteuid() == 1000
            ? "" : " (not root: new servers' files stay this user's, not uid 1000's)"
        return .good("\(root) can be written\(rights)")
    }

    private func engine(_ endpoint: EngineEndpoint) async -> Finding {
        do {
            let version = try await Engine(endpoint).negotiate()
            return .good("the engine at \(endpoint) answers: \(version.version), API \(version.apiVersion)")
        } catch {
            return .bad(
                "\(error)", remedy: "start Docker, set DOCKER_HOST, or let this user use the socket (group docker)")
        }
    }

    private func zone(_ name: String) -> Finding {
        do {
            _ = try Zones().rules(name)
            // A machine without the database knows UTC alone.
            _ = try Zones().rules("Europe/London")
            return .good("schedules that name no time zone go by \(name)")
        } catch {
            return .bad("\(error)", remedy: "install tzdata")
        }
    }

    /// Asks the agent over the broker and measures how long that takes.
    private func broker() async -> Finding {
        do {
            let options = try wiring.clientOptions()
            let topics = Topics(host: try wiring.settings.host())
            let place = "\(options.broker.host):\(options.broker.port)"
            let call = Caller.Call(topics: topics, topic: topics.command(.ping), arguments: [:], id: UUID().uuidString)
            let begun = ContinuousClock.now
            do { _ = try await Caller(options: options, logger: wiring.logger).send(call, seconds: 3) } catch BusError
                .noAnswer
            {
                return .bad("the broker at \(place) answers, the agent does not", remedy: "start it with orc run")
            }
            let milliseconds = Int((ContinuousClock.now - begun) / .milliseconds(1))
            guard milliseconds < 40 else {
                return .bad(
                    "the broker at \(place) is slow: \(milliseconds) ms",
                    remedy: "set_tcp_nodelay true in mosquitto.conf")
            }
            return .good("the broker at \(place) and the agent answer in \(milliseconds) ms")
        } catch {
            return .bad("the broker: \(error)", remedy: "start orc run, or set ORC_MQTT_URL to a broker that runs")
        }
    }

    private func plans(_ path: String) -> [Finding] {
        do {
            let (entries, complaints) = try PlanCatalogue(path: path).list()
            let remedy = "mend the file, or remove its folder"
            guard !entries.isEmpty || !complaints.isEmpty else {
                return [.bad("there are no plans in \(path)", remedy: "orc send update_plans fetches PEON's")]
            }
            return complaints.map { .bad("\($0)", remedy: remedy) } + [.good("\(entries.count) plans in \(path)")]
        } catch {
            return [.bad("\(error)", remedy: "let this user read \(path)")]
        }
    }

    private func servers(_ path: String) -> [Finding] {
        do {
            let (folders, complaints) = try ServerFolder.all(in: path)
            let bad = folders.compactMap { folder -> Finding? in
                do {
                    _ = try folder.config()
                    return nil
                } catch {
                    return .bad("\(error)", remedy: "mend the file: it is left as it is")
                }
            }
            let closed = complaints.map { Finding.bad("\($0)", remedy: "let this user read it") }
            return closed + bad + [.good("\(folders.count) servers in \(path)")]
        } catch {
            return [.bad("\(error)", remedy: "let this user read \(path)")]
        }
    }
}
