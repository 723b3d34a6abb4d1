import ArgumentParser
import Glibc
import OrcAgent
import OrcContract
import OrcCore
import OrcDocker
import OrcPlans

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Checks the requirements of Orc; each problem is printed with its remedy.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: true)
        let findings = try await Diagnostics(wiring: wiring).findings()
        for finding in findings { StandardOutput.print(finding.line) }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode(1) }
    }
}

/// One line of the check's output.
struct Finding {
    let isGood: Bool
    let line: String

    static func good(_ text: String) -> Finding { Finding(isGood: true, line: "ok    \(text)") }
    static func bad(_ text: String, remedy: String) -> Finding {
        Finding(isGood: false, line: "wrong \(text): \(remedy)")
    }
}

private struct Diagnostics {
    let wiring: ServiceWiring

    /// Free bytes that are needed for the agent's own files and for the creation of a server.
    private static let leastRoom = 4.0 * 1_048_576

    func findings() async throws -> [Finding] {
        let settings = try wiring.settings.agent()
        var findings = [folders(settings.root)] + room(settings)
        findings += await engine(try wiring.settings.engine())
        findings += await AgentDiagnostics(wiring: wiring).findings()
        findings.append(zone(settings.zone))
        findings += plans(settings.plans)
        if let complaint = await PlanGitRepository(folder: settings.plans, url: settings.plansURL).complaint() {
            let remedy = "move \(settings.plans)/.git away: your plans stay, and the next update begins anew"
            findings.append(.bad("the repository of the plans is damaged: \(complaint)", remedy: remedy))
        }
        findings += servers(settings.servers)
        return findings
    }

    private func folders(_ root: String) -> Finding {
        var place = root
        while place.count > 1, access(place, F_OK) != 0, let slash = place.lastIndex(of: "/") {
            place = slash == place.startIndex ? "/" : String(place[..<slash])
        }
        for folder in [place, "\(root)/orc", "\(root)/servers"] where access(folder, W_OK) != 0 && errno != ENOENT {
            return .bad(
                "\(folder) cannot be written",
                remedy: "run as root, or give it to this user, on a disk that takes files")
        }
        let rights =
            geteuid() == 0 || geteuid() == 1000
            ? "" : " (not root: new servers' files stay this user's, not uid 1000's)"
        return .good("\(root) can be written\(rights)")
    }

    /// Checks that the file systems of Orc's folders have free space.
    private func room(_ settings: AgentSettings) -> [Finding] {
        var seen: Set<UInt> = []
        return [settings.root, settings.servers, settings.plans].compactMap { folder in
            var status = statvfs()
            guard statvfs(folder, &status) == 0, seen.insert(status.f_fsid).inserted else { return nil }
            let free = Double(status.f_bavail) * Double(status.f_frsize)
            let used = 100 - 100 * Double(status.f_bavail) / Double(max(status.f_blocks, 1))
            let place = "the disk of \(folder) has \(Int(free / 1_048_576)) MiB free"
            if status.f_flag & UInt(ST_RDONLY) != 0 {
                return .bad("the disk of \(folder) is mounted read-only", remedy: "mount it with rw")
            }
            if free < Self.leastRoom { return .bad("\(place): hardly anything can be saved", remedy: "make room") }
            if status.f_favail == 0, status.f_files > 0 {
                return .bad("the disk of \(folder) takes no more files", remedy: "remove some")
            }
            if let limit = settings.limits.disk, used > limit {
                return .bad("\(place): \(Int(used)) % are used", remedy: "make room, or raise ORC_WARN_DISK")
            }
            return .good(place)
        }
    }

    private func engine(_ endpoint: DockerEndpoint) async -> [Finding] {
        do {
            let engine = DockerClient(endpoint)
            let version = try await engine.negotiate()
            let denied = try await engine.denials()
            let answer = Finding.good(
                "the engine at \(endpoint) answers: \(version.version), API \(version.apiVersion)")
            guard !denied.isEmpty else { return [answer] }
            return [
                answer,
                .bad(
                    "calls of the engine are denied: \(denied.joined(separator: ", "))",
                    remedy: "allow them in the proxy of its socket"),
            ]
        } catch let error as DockerError where [401, 403, 405].contains(error.status) {
            return [.bad("\(error)", remedy: "allow GET /version in the proxy of the engine's socket")]
        } catch {
            return [
                .bad(
                    "\(error)", remedy: "start Docker, set DOCKER_HOST, or let this user use the socket (group docker)")
            ]
        }
    }

    private func zone(_ name: String) -> Finding {
        do {
            _ = try TimeZoneDatabase().rules(name)
            // A host without a time zone database knows only UTC.
            _ = try TimeZoneDatabase().rules("Europe/London")
            return .good("schedules that name no time zone go by \(name)")
        } catch {
            return .bad("\(error)", remedy: "install tzdata")
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
