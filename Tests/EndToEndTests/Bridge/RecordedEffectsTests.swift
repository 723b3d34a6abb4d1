import Foundation
import OrcContract
import OrcCore
import OrcDocker
import Testbed
import Testing

extension EndToEnd {
    /// What PEON's orchestrator left behind after a creation, beside what this program leaves; the differences that are
    /// meant stand with their reasons in `recorded-differences.json`.
    @Suite(.needsCorpus) struct RecordedEffectsTests {
        @Test func `a creation has the effects that PEON's had`() async throws {
            let recordings = try PeonRecording.creations()
            #expect(recordings.count == 4)
            let file = Testbed.package.appending(path: "Tests/EndToEndTests/recorded-differences.json")
            let listed = Set(try JSON.parse(Array(Data(contentsOf: file))).object?.keys ?? [])
            let corpus = try Testbed.corpus().appending(path: "warplans")
            try await OrcProcess.with(prepare: { root in
                try FileManager.default.copyItem(at: corpus, to: root.appending(path: "plans"))
            }) { orc in
                var seen: Set<String> = []
                for recording in recordings {
                    let reply = try await orc.probe.send(.create, recording.server.uid, recording.settings)
                    #expect(reply.status == .ok, "\(recording.server): \(reply.error ?? "")")
                    seen.formUnion(try await self.differences(recording, orc, listed: listed))
                    await orc.clean([recording.server])
                }
                #expect(listed.subtracting(seen).isEmpty, "listed, but not seen: \(listed.subtracting(seen).sorted())")
            }
        }

        /// Compares, records what is not listed, and gives back what was found.
        private func differences(_ recording: PeonRecording, _ orc: OrcProcess, listed: Set<String>) async throws
            -> Set<
                String
            >
        {
            let expected = try #require(recording.effects["container"])
            let text = try await Tool.output(
                "docker",
                ["-H", "unix://\(try Testbed.engineSocket())", "inspect", "peon.warcamp.\(recording.server.uid)"])
            let detail = try #require(try JSON.parse(text).array?.first)
            let root = orc.root.path().hasSuffix("/") ? String(orc.root.path().dropLast()) : orc.root.path()
            let actual = Self.shape(of: detail, root: root)
            var found: Set<String> = []
            for (name, value) in Self.shape(ofRecorded: expected) where actual[name] != value { found.insert(name) }
            for name in actual.keys where Self.shape(ofRecorded: expected)[name] == nil { found.insert(name) }
            found.formUnion(try tree(recording, orc))
            let named = found.map { name in
                let own = "\(recording.server.game).\(name)"
                return listed.contains(own) ? own : name
            }
            for name in named where !listed.contains(name) {
                Issue.record("\(recording.server): \(name) is \(actual[name] ?? "nothing")")
            }
            return Set(named)
        }

        private static func shape(ofRecorded container: JSON) -> [String: String] {
            var shape: [String: String] = [:]
            for name in [
                "Image", "User", "Hostname", "Tty", "OpenStdin", "Privileged", "NetworkMode", "Memory", "NanoCpus",
            ] {
                shape[name] = container[name]?.text()
            }
            shape["Name"] = container["Name"]?.text()
            shape["Entrypoint"] = container["Entrypoint"]?.text()
            shape["RestartPolicy"] = container["RestartPolicy"]?["Name"]?.text()
            shape["LogConfig"] = container["LogConfig"]?["Config"]?.text()
            add(
                container["Labels"], binds: container["Binds"], ports: container["PortBindings"], env: container["Env"],
                to: &shape)
            let networks = container["Networks"]?.object?.members.first
            shape["Aliases"] = networks?.value["Aliases"]?.array?.prefix(2).map { $0.text() }.sorted().joined()
            return shape
        }

        private static func shape(of detail: JSON, root: String) -> [String: String] {
            let config = detail["Config"], host = detail["HostConfig"]
            var shape: [String: String] = [:]
            for name in ["Image", "User", "Hostname", "Tty", "OpenStdin"] { shape[name] = config?[name]?.text() }
            for name in ["Privileged", "NetworkMode", "Memory", "NanoCpus"] { shape[name] = host?[name]?.text() }
            shape["Name"] = detail["Name"]?.text()
            shape["Entrypoint"] = config?["Entrypoint"]?.text()
            // An engine's "no" is the empty name of an older API.
            shape["RestartPolicy"] =
                host?["RestartPolicy"]?["Name"] == "no" ? "\"\"" : host?["RestartPolicy"]?["Name"]?.text()
            shape["LogConfig"] = host?["LogConfig"]?["Config"]?.text()
            let binds = JSON.array(
                (host?["Binds"]?.array ?? []).map { bind in
                    .string((bind.string ?? "").replacingOccurrences(of: root, with: "/home/peon"))
                })
            add(config?["Labels"], binds: binds, ports: host?["PortBindings"], env: config?["Env"], to: &shape)
            let networks = detail["NetworkSettings"]?["Networks"]?.object?.members.first
            shape["Aliases"] = networks?.value["Aliases"]?.array?.prefix(2).map { $0.text() }.sorted().joined()
            return shape
        }

        /// Variables of the images' own are left out, but for the two that are reported.
        private static func add(
            _ labels: JSON?, binds: JSON?, ports: JSON?, env: JSON?, to shape: inout [String: String]
        ) {
            for (name, value) in labels?.object?.members ?? [] { shape["Labels.\(name)"] = value.text() }
            shape["Binds"] = (binds?.array ?? []).compactMap(\.string).sorted().joined(separator: " ")
            for (name, value) in ports?.object?.members ?? [] {
                shape["PortBindings.\(name)"] = value.array?.first?["HostPort"]?.text()
            }
            for variable in (env?.array ?? []).compactMap(\.string) {
                let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard !["PATH", "HOME", "X", "STANDIN_STOP"].contains(parts[0]) else { continue }
                shape["Env.\(parts[0])"] = String(parts.last ?? "")
            }
        }

        /// Compares modes and owners of the files that both have; the corpus holds plan.json alone of each plan's folder.
        private func tree(_ recording: PeonRecording, _ orc: OrcProcess) throws -> Set<String> {
            let folder = orc.root.appending(path: "servers/\(recording.server.game)/\(recording.server.name)")
            var found: Set<String> = []
            for line in recording.effects["tree(mode uid:gid path)"]?.array?.compactMap(\.string) ?? [] {
                let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
                guard parts.count == 3,
                    ["plan.json", "config.json", "docker-compose.yml", "actions/", "config/", "data/", "user/"]
                        .contains(parts[2])
                else { continue }
                let path = folder.appending(path: parts[2]).path()
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                let mode = String(attributes[.posixPermissions] as? Int ?? 0, radix: 8)
                let owner =
                    "\(attributes[.ownerAccountID] as? Int ?? -1):\(attributes[.groupOwnerAccountID] as? Int ?? -1)"
                if "0o\(mode) \(owner)" != "\(parts[0]) \(parts[1])" { found.insert("tree.\(parts[2])") }
            }
            return found
        }

        @Test func `a description is written as PEON writes it`() async throws {
            let entry = try #require(try PeonRecording.entries("D-lifecycle").first { $0["id"] == "D-lifecycle-37" })
            let body = try JSON.parse(entry["request"]?["body"]?.string ?? "")
            let expected = try #require(entry["effects"]?["config"]?.string)
            let corpus = try Testbed.corpus().appending(path: "warplans")
            try await OrcProcess.with(prepare: { root in
                try FileManager.default.copyItem(at: corpus, to: root.appending(path: "plans"))
            }) { orc in
                let settings: JSON.Object = [
                    "SERVER_NAME": "a", "WORLD_NAME": "b", "PASSWORD": "c", "start_later": true,
                ]
                let created = try await orc.probe.send(.create, "valheim.alpha", settings)
                let described = try await orc.probe.send(.description, "valheim.alpha", body.object ?? [:])
                #expect(created.status == .ok && described.status == .ok)
                let file = orc.root.appending(path: "servers/valheim/alpha/config.json")
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(text.hasPrefix(expected))
                await orc.clean([ServerID(uid: "valheim.alpha")!])
            }
        }
    }
}
