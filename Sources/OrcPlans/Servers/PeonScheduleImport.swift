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
    /// - Returns: the scheduled stop of each server, and a message for each unreadable entry. If a server has several
    /// stops, the last is returned, which is also the stop that PEON shows.
    package static func read(
        in servers: String
    ) throws -> (stops: [(server: ServerID, date: Date)], complaints: [String]) {
        guard let bytes = try DirectoryHandle.opened(servers)?.read(file, limit: maxBytes) else { return ([], []) }
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
