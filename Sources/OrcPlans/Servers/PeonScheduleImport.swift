package import FoundationEssentials
package import OrcContract
import OrcCore
import OrcFiles

/// Reads `servers/schedule.json`, in which PEON's orchestrator keeps its scheduled stops.
package enum PeonScheduleImport {
    private static let file = "schedule.json"
    private static let maxBytes = 4 << 20

    /// Reads the scheduled stops.
    ///
    /// `servers`: the folder of all servers, `<root>/servers`.
    ///
    /// - Returns: the stop of each server, of several the last, as PEON shows it; and a message for each unreadable
    /// entry.
    package static func read(
        in servers: String
    ) throws -> (stops: [(server: ServerID, date: Date)], complaints: [String]) {
        guard DirectoryHandle.exists(servers),
            let bytes = try DirectoryHandle(path: servers).read(file, limit: maxBytes)
        else {
            return ([], [])
        }
        guard let entries = (try? JSON.parse(bytes))?.array else { return ([], ["\(file) is no list"]) }  // reported
        var stops: [ServerID: Date] = [:]
        var complaints: [String] = []
        for entry in entries {
            guard entry["action"]?.string == "stop",
                let server = entry["server_uid"]?.string.flatMap({ ServerID(uid: $0) }),
                let date = entry["time"].flatMap(TimeArgument.date)
            else {
                complaints.append("\(file): \(entry.text().prefix(200))")
                continue
            }
            stops[server] = date
        }
        return (stops.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, complaints)
    }
}
