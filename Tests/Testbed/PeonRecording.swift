import Foundation
package import OrcContract
package import OrcCore

/// One creation that PEON's orchestrator was recorded at, and what it left behind.
package struct PeonRecording: Sendable {
    package let id: String
    package let server: ServerID
    package let settings: JSON.Object
    package let effects: JSON

    /// The recorded entries of a group.
    package static func entries(_ group: String) throws -> [JSON] {
        let data = try Data(contentsOf: Testbed.corpus().appending(path: "peon-v1/recorded.json"))
        return try JSON.parse(Array(data))["groups"]?[group]?.array ?? []
    }

    /// The creations that worked.
    package static func creations() throws -> [PeonRecording] {
        try entries("C-create").compactMap { entry in
            guard let effects = entry["effects"], let path = entry["request"]?["path"]?.string,
                path.contains("/create/"), entry["response"]?["status"]?.int == 200, let id = entry["id"]?.string,
                let server = ServerID(uid: path.split(separator: "/").last ?? "")
            else { return nil }
            var settings = try JSON.parse(entry["request"]?["body"]?.string ?? "{}").object ?? [:]
            // PEON passed over these two; here they are refused by name (a STEAM_ID of the plan's, an unknown setting).
            settings["UNKNOWN_VAR"] = nil
            if settings["STEAM_ID"] == "999" { settings["STEAM_ID"] = nil }
            return PeonRecording(id: id, server: server, settings: settings, effects: effects)
        }
    }
}
