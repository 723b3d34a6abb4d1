import FoundationEssentials
import Synchronization

/// The time zones of the machine, from the files of the IANA's database (package `tzdata`).
package final class TimeZoneDatabase: Sendable {
    package static let standardFolder = "/usr/share/zoneinfo"
    private static let maxBytes = 128 << 10

    private let folder: String
    private let read = Mutex<[String: TimeZoneRules]>([:])

    package init(folder: String = TimeZoneDatabase.standardFolder) { self.folder = folder }

    /// - Throws: where there is none of that name, or its file cannot be read.
    package func rules(_ name: String) throws(TimeZoneError) -> TimeZoneRules {
        if let known = read.withLock({ $0[name] }) { return known }
        guard TimeZoneName.allows(name) else { throw .unknown(name) }
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)"), data.count <= Self.maxBytes else {
            // The machine need not tell what everybody knows.
            if name == "UTC" { return .utc }
            throw .unknown(name)
        }
        let rules = try TimeZoneRules(name: name, file: Array(data))
        read.withLock { $0[name] = rules }
        return rules
    }

    /// The machine's own zone: what TZ names, else what its clock is set to, else UTC.
    ///
    /// `variable`: the environment's TZ, which may hold other things than a zone's name.
    package static func machineZone(_ variable: String?) -> String {
        let given = variable.map { $0.hasPrefix(":") ? String($0.dropFirst()) : $0 }
        // Where it cannot be read it names no zone.
        if let given, let rules = try? TimeZoneDatabase().rules(given) { return rules.name }
        // Nil is the answer to whatever is wrong with the link: then it is UTC.
        let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/etc/localtime")) ?? ""
        guard let range = target.firstRange(of: "zoneinfo/") else { return "UTC" }
        let name = String(target[range.upperBound...])
        // A zone that cannot be read is nobody's.
        return (try? TimeZoneDatabase().rules(name))?.name ?? "UTC"
    }
}
