import FoundationEssentials
import Synchronization

/// The host's time zones, from the files of the IANA database (package `tzdata`).
package final class TimeZoneDatabase: Sendable {
    package static let standardFolder = "/usr/share/zoneinfo"
    private static let maxBytes = 128 << 10

    private let folder: String
    private let read = Mutex<[String: TimeZoneRules]>([:])

    package init(folder: String = TimeZoneDatabase.standardFolder) { self.folder = folder }

    /// Returns the rules of the time zone `name`; its file is read only once.
    ///
    /// - Throws: if there is no zone of that name, or its file cannot be read.
    package func rules(_ name: String) throws(TimeZoneError) -> TimeZoneRules {
        if let known = read.withLock({ $0[name] }) { return known }
        guard TimeZoneName.allows(name) else { throw .unknown(name) }
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)"), data.count <= Self.maxBytes else {
            // UTC does not depend on the host's files.
            if name == "UTC" { return .utc }
            throw .unknown(name)
        }
        let rules = try TimeZoneRules(name: name, file: Array(data))
        read.withLock { $0[name] = rules }
        return rules
    }

    /// Returns the name of the host's own time zone.
    ///
    /// This is the zone named by the variable TZ, else the zone of `/etc/localtime`, else UTC.
    ///
    /// `variable`: the value of TZ in the environment, which may also be something other than a zone's name.
    package static func machineZone(_ variable: String?) -> String {
        let given = variable.map { $0.hasPrefix(":") ? String($0.dropFirst()) : $0 }
        // A TZ that cannot be read as a zone's name is ignored.
        if let given, let rules = try? TimeZoneDatabase().rules(given) { return rules.name }
        // Any error of the link means UTC.
        let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/etc/localtime")) ?? ""
        guard let range = target.firstRange(of: "zoneinfo/") else { return "UTC" }
        let name = String(target[range.upperBound...])
        // A zone that cannot be read is ignored.
        return (try? TimeZoneDatabase().rules(name))?.name ?? "UTC"
    }
}
