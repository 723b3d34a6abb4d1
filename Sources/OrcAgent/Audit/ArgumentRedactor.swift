import OrcContract
import OrcCore
import OrcPlans

/// Prepares arguments for storage: redacts secrets, replaces files by their sizes, and bounds the total size.
struct ArgumentRedactor {
    let secrets: SecretRedactor
    /// Bytes by which the output may still grow.
    private var remainingBytes: Int

    /// Maximum bytes of a text; a longer text is replaced by its size.
    private static let longestText = 1024

    init(_ secrets: SecretRedactor, bytes: Int) {
        self.secrets = secrets
        remainingBytes = bytes
    }

    /// Returns the redacted members that fit; a member named `…` contains the number of members that were left out.
    mutating func masked(_ members: JSON.Object) -> JSON.Object {
        var kept: [(key: String, value: JSON)] = []
        for (name, value) in members.members {
            guard reserve(name.utf8.count + 6) else {
                kept.append(("…", .string("\(members.members.count - kept.count) more")))
                break
            }
            kept.append((name, masked(value, name)))
        }
        return JSON.Object(unique: kept)
    }

    private mutating func masked(_ value: JSON, _ name: String) -> JSON {
        if SecretNames.isSecret(name), !value.isNull { return .string(SecretRedactor.mask) }
        switch value {
        case .null, .bool: return value
        case .number(let text): return reserve(text.utf8.count) ? value : .string("…")
        case .string(let text):
            guard text.utf8.count <= Self.longestText, reserve(text.utf8.count) else { return Self.size(text) }
            return .string(secrets.masked(text, named: name))
        case .array(let values):
            var kept: [JSON] = []
            for value in values {
                guard reserve(2) else {
                    kept.append(.string("\(values.count - kept.count) more"))
                    break
                }
                kept.append(masked(value, name))
            }
            return .array(kept)
        case .object(let members): return .object(name == "files" ? sizes(members) : masked(members))
        }
    }

    private mutating func sizes(_ files: JSON.Object) -> JSON.Object {
        var kept: [(key: String, value: JSON)] = []
        for (path, content) in files.members where reserve(path.utf8.count + 16) {
            kept.append((path, Self.size(content.string ?? content.text())))
        }
        return JSON.Object(unique: kept)
    }

    private static func size(_ text: String) -> JSON { .string("\(text.utf8.count) bytes") }

    private mutating func reserve(_ bytes: Int) -> Bool {
        guard remainingBytes >= bytes else { return false }
        remainingBytes -= bytes
        return true
    }
}
