import OrcContract
package import OrcCore

/// The recipe of a game (`plan.json`), or one server's copy of it with the owner's settings (`config.json`).
package struct Plan: Sendable {
    /// The whole document, with its keys in their original order.
    package let document: JSON.Object
    package let game: String
    package let version: String?
    package let description: String
    package let image: String
    /// Alternative groups of ports: a server uses the first group whose ports are all free.
    package let portGroups: [[PlanPort]]
    package let environment: JSON.Object
    package let volumes: [Mapping]
    package let files: [Mapping]
    package let options: PlanOptions

    /// A mount: the source path in the plan's form (`~!/data`), and the target path in the container.
    package struct Mapping: Sendable, Equatable {
        package let source: String
        package let target: String
    }

    /// Parses a plan.
    ///
    /// `file`: the document's name in errors.
    package init(_ document: JSON, file: String) throws(PlanError) {
        func malformed(_ what: String) -> PlanError { .malformed(file: file, what: what) }
        guard let object = document.object else { throw malformed("is not an object") }
        guard let metadata = object["metadata"]?.object, let game = metadata["game_uid"]?.string,
            let image = metadata["image"]?.string, !image.isEmpty
        else { throw malformed("metadata needs game_uid and image") }
        guard ImageReference(image) != nil else { throw malformed("metadata.image is no image's name") }
        self.document = object
        self.game = game
        self.image = image
        version = metadata["version"]?.string
        description = metadata["description"]?.string ?? ""
        options = try PlanOptions(object["orc"] ?? .null, file: file)
        portGroups = try PlanPort.groups(object["ports"] ?? [], arrangement: options.ports, file: file)
        environment = try Self.object(object["environment"], what: "environment", file: file)
        volumes = try Self.mappings(object["volumes"], what: "volumes", file: file)
        files = try Self.mappings(object["files"], what: "files", file: file)
    }

    /// Returns the object in `value`; an empty object if `value` is missing, null or an empty list.
    ///
    /// PHP, with which many plans are written, encodes an empty object as an empty list.
    private static func object(_ value: JSON?, what: String, file: String) throws(PlanError) -> JSON.Object {
        guard let value, !value.isNull, value != [] else { return [:] }
        guard let object = value.object else { throw .malformed(file: file, what: "\(what) is not an object") }
        return object
    }

    private static func mappings(_ value: JSON?, what: String, file: String) throws(PlanError) -> [Mapping] {
        var mappings: [Mapping] = []
        for (source, target) in try object(value, what: what, file: file).members {
            guard let target = target.string, target.hasPrefix("/"), isPlain(target) else {
                throw .malformed(file: file, what: "\(what): \(source) needs an absolute path without a colon")
            }
            guard source.hasPrefix("~!/") || source.hasPrefix("/"), isPlain(source),
                !source.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) })
            else { throw .malformed(file: file, what: "\(what): \(source) is not a path that can be mounted") }
            mappings.append(Mapping(source: source, target: target))
        }
        return mappings
    }

    /// True if a path has no control characters and no colon.
    ///
    /// The container engine's form of a mount, `source:target:mode`, has no escape for a colon.
    private static func isPlain(_ path: String) -> Bool {
        path.unicodeScalars.allSatisfy { $0 != ":" && $0.value >= 0x20 }
    }
}
