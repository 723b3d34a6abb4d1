import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import Subprocess

/// Reads the credentials for an image's registry that `docker login` stored for the agent's user (`config.json`).
///
/// The credentials are used only for that registry.
struct RegistryLogin {
    let image: String
    let logger: Logger
    var environment = ProcessInfo.processInfo.environment
    var helperTimeout = Duration.seconds(10)

    /// The key under which `config.json` stores the credentials for Docker Hub.
    private static let docker = "https://index.docker.io/v1/"
    private static let maxBytes = 1 << 20

    /// Returns the value of the header `X-Registry-Auth`; nil if no credentials are stored for the image's registry.
    func header() async -> String? {
        guard let reference = ImageReference(image), let config = config() else { return nil }
        let names = reference.registry.map { [$0, "https://\($0)", "http://\($0)"] } ?? [Self.docker, "docker.io"]
        for name in names {
            if let helper = config["credHelpers"]?[name]?.string ?? config["credsStore"]?.string,
                let login = await ask(helper, for: name)
            {
                return Self.header(login)
            }
            if let entry = config["auths"]?[name], let login = Self.login(entry, name) { return Self.header(login) }
        }
        return nil
    }

    private func config() -> JSON? {
        let folder = environment["DOCKER_CONFIG"] ?? environment["HOME"].map { "\($0)/.docker" }
        // Without the file there is no login.
        guard let folder, let data = try? Data(contentsOf: URL(filePath: "\(folder)/config.json")),
            data.count <= Self.maxBytes
        else { return nil }
        return try? JSON.parse(Array(data))
    }

    /// Parses an entry of `auths` in `config.json`: `user:password` in Base64, or an identity token.
    private static func login(_ entry: JSON, _ name: String) -> JSON.Object? {
        if let token = entry["identitytoken"]?.string, !token.isEmpty {
            return ["identitytoken": .string(token), "serveraddress": .string(name)]
        }
        guard
            let text = entry["auth"]?.string.flatMap({ Data(base64Encoded: $0) }).map({
                String(decoding: $0, as: UTF8.self)
            }),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        return [
            "username": .string(String(text[..<colon])), "password": .string(String(text[text.index(after: colon)...])),
            "serveraddress": .string(name),
        ]
    }

    /// Gets credentials from a credential helper program (github.com/docker/docker-credential-helpers).
    ///
    /// `helper`: the suffix of the program `docker-credential-…`; `name`: the registry.
    private func ask(_ helper: String, for name: String) async -> JSON.Object? {
        guard helper.utf8.allSatisfy({ $0.isAlphanumeric || "._-".utf8.contains($0) }) else { return nil }
        do {
            let result = try await Deadline.run(helperTimeout, orThrow: HelperTimeout()) {
                try await Subprocess.run(
                    .name("docker-credential-\(helper)"), arguments: ["get"], input: .string(name, using: UTF8.self),
                    output: .string(limit: 64 << 10), error: .discarded)
            }
            guard result.terminationStatus.isSuccess, let json = try? JSON.parse(result.standardOutput),
                let secret = json["Secret"]?.string, let user = json["Username"]?.string
            else { return nil }
            if user == "<token>" { return ["identitytoken": .string(secret), "serveraddress": .string(name)] }
            return ["username": .string(user), "password": .string(secret), "serveraddress": .string(name)]
        } catch {
            logger.warning("cannot get a registry's login", metadata: ["helper": "\(helper)", "error": "\(error)"])
            return nil
        }
    }

    /// Returns the credentials as JSON in URL-safe Base64, as the engine expects them.
    private static func header(_ login: JSON.Object) -> String {
        Data(JSON.object(login).bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }

    private struct HelperTimeout: Error, CustomStringConvertible {
        let description = "no answer in time"
    }
}
