import Foundation
import Logging
import OrcCore
import Testbed
import Testing

@testable import OrcDocker

@Suite struct RegistryLoginTests {
    @Test func `a login is for its own registry, from the file or a helper`() async throws {
        try await Testbed.withFolder { folder in
            let helper = folder.appending(path: "docker-credential-stub")
            try "#!/bin/sh\nread -r name\nprintf '{\"Username\":\"u\",\"Secret\":\"of %s\"}' \"$name\"\n".write(
                to: helper, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: helper.path())
            let config = #"""
                {"auths":{"r.example:5000":{"auth":"bWU6c2VjOnJldA=="},"https://index.docker.io/v1/":{"identitytoken":"tok"}},
                "credHelpers":{"h.example":"stub","bad.example":"../x"}}
                """#
            try config.write(to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
            setenv("PATH", "\(folder.path()):\(ProcessInfo.processInfo.environment["PATH"] ?? "")", 1)
            func login(_ image: String) async throws -> JSON? {
                let login = RegistryLogin(
                    image: image, logger: Logger(label: "test"), environment: ["DOCKER_CONFIG": folder.path()])
                guard let header = await login.header() else { return nil }
                let text = header.replacing("-", with: "+").replacing("_", with: "/")
                return try JSON.parse(Array(try #require(Data(base64Encoded: text))))
            }
            let own = try await login("r.example:5000/a/b:1")
            #expect(own?["username"] == "me" && own?["password"] == "sec:ret")
            #expect(try await login("a/b")?["identitytoken"] == "tok")
            #expect(try await login("h.example/a")?["password"] == "of h.example")
            #expect(try await login("other.example/a") == nil)
            #expect(try await login("bad.example/a") == nil)
        }
    }

    @Test func `a helper that hangs holds up no pull`() async throws {
        try await Testbed.withFolder { folder in
            let helper = folder.appending(path: "docker-credential-hangs")
            try "#!/bin/sh\nexec sleep 60\n".write(to: helper, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: helper.path())
            try #"{"credHelpers":{"h.example":"hangs"}}"#.write(
                to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
            setenv("PATH", "\(folder.path()):\(ProcessInfo.processInfo.environment["PATH"] ?? "")", 1)
            var login = RegistryLogin(
                image: "h.example/a", logger: Logger(label: "test"), environment: ["DOCKER_CONFIG": folder.path()])
            login.helperTimeout = .milliseconds(200)
            #expect(await login.header() == nil)
        }
    }
}
