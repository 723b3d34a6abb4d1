import OrcContract
import OrcCore
import OrcPlans

/// Makes arguments fit to be kept and shown: secrets masked, files by their size, all of it within a bound.
struct ArgumentRedactor {
    let secrets: SecretRedactor
    /// Bytes that are left.
    private var room: Int

    /// Longer text is kept by its size alone.
    private static let longestText = 1024

    init(_ secrets: SecretRedactor, bytes: Int) {
        self.secrets = secrets
        room = bytes
    }

    /// `members` as far as there is room; where there is more a member `…` says so.
    mutating func masked(_ members: JSON.Object) -> JSON.Object {
        var kept: [(key: String, value: JSON)] = []
        for (name, value) in members.members {
            guard takes(name.utf8.count + 6) else {
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
        case .number(let text): return takes(text.utf8.count) ? value : .string("…")
        case .string(let text):
            guard text.utf8.count <= Self.longestText, takes(text.utf8.count) else { return Self.size(text) }
            return .string(secrets.masked(text, named: name))
        case .array(let values):
            var kept: [JSON] = []
            for value in values {
                guard takes(2) else {
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
        for (path, content) in files.members where takes(path.utf8.count + 16) {
            kept.append((path, Self.size(content.string ?? content.text())))
        }
        return JSON.Object(unique: kept)
    }

    private static func size(_ text: String) -> JSON { .string("\(text.utf8.count) bytes") }

    private mutating func takes(_ bytes: Int) -> Bool {
        guard room >= bytes else { return false }
        room -= bytes
        return true
    }
}
