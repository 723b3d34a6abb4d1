import OrcContract
import OrcCore
import OrcEngine

/// Parses the members of a plan's `orc` object; errors name the malformed member.
struct PlanOptionsParser {
    let file: String

    func malformed(_ what: String) -> PlanError { .malformed(file: file, what: what) }

    func stop(_ value: JSON?, into stop: inout PlanOptions.StopOptions) throws(PlanError) {
        stop.command = try text(value?["command"], "orc.stop.command")
        stop.signal = try word(value?["signal"], "orc.stop.signal", StopSignal.init)
        stop.signalsAll = try flag(value?["all"], "orc.stop.all")
        stop.grace = try whole(value?["grace"], "orc.stop.grace", 0...3600)
    }

    func resources(_ value: JSON?, into resources: inout ContainerResources) throws(PlanError) {
        resources.memory = try bytes(value?["memory"], "orc.resources.memory", least: Self.leastMemory)
        resources.disk = try bytes(value?["disk"], "orc.resources.disk", least: Self.leastDisk)
        if let cpus = value?["cpus"], !cpus.isNull {
            guard let cores = cpus.double, cores > 0, cores <= 1024 else {
                throw malformed("orc.resources.cpus must be a number of cores")
            }
            resources.cpus = cores
        }
        resources.pids = try whole(value?["pids"], "orc.resources.pids", 1...4_194_304) ?? resources.pids
    }

    func security(_ value: JSON?, into security: inout ContainerSecurity) throws(PlanError) {
        security.user = try text(value?["user"], "orc.security.user") ?? security.user
        security.dropped = try words(value?["cap_drop"], "orc.security.cap_drop")
        security.added = try words(value?["cap_add"], "orc.security.cap_add") ?? security.added
        security.hasNoNewPrivileges = try flag(value?["no_new_privileges"], "orc.security.no_new_privileges")
        security.isReadOnly = try flag(value?["read_only"], "orc.security.read_only") ?? security.isReadOnly
        security.temporary = try bytes(value?["tmp"], "orc.security.tmp", least: Self.leastTemporary)
    }

    /// Parses `ready`: an object, or only the pattern.
    func ready(_ value: JSON?, into ready: inout PlanOptions.Ready) throws(PlanError) {
        let pattern = value?.string == nil ? value?["pattern"] : value
        ready.pattern = try text(pattern, "orc.ready.pattern")
        if let pattern = ready.pattern, LogPattern(pattern) == nil {
            throw malformed("orc.ready.pattern is no regular expression")
        }
        ready.timeout = try whole(value?["timeout"], "orc.ready.timeout", 1...86400)
    }

    /// Parses `restart`: an object, or only the name of the policy.
    func restart(_ value: JSON?, into policy: inout RestartPolicy) throws(PlanError) {
        let word = value?.string == nil ? value?["policy"] : value
        policy.mode =
            try self.word(word, "orc.restart.policy") { word in
                RestartPolicy.Mode(rawValue: word.replacing("-", with: "_"))
            } ?? policy.mode
        func seconds(_ name: String, _ standard: Double) throws(PlanError) -> Double {
            guard let given = value?[name], !given.isNull else { return standard }
            guard let number = given.double, number >= 0, number <= 86400 * 7 else {
                throw malformed("orc.restart.\(name) must be a number of seconds")
            }
            return number
        }
        policy.delay = try seconds("delay", policy.delay)
        policy.longestDelay = max(try seconds("max_delay", policy.longestDelay), policy.delay)
        policy.window = try seconds("window", policy.window)
        policy.goodRun = try seconds("reset", policy.goodRun)
        policy.limit = try whole(value?["limit"], "orc.restart.limit", 0...1000) ?? policy.limit
    }

    func autostarts(_ value: JSON?) throws(PlanError) -> Bool {
        switch value {
        case nil, .null?, .bool(true)?, .string("always")?: true
        case .bool(false)?, .string("never")?: false
        default: throw malformed("orc.autostart must be true or false")
        }
    }

    /// Returns one message for each member that is not in `words`.
    ///
    /// `value`: the `orc` object; `place`: the key of its inner object to check, or empty for the `orc` object itself.
    func unknown(in value: JSON, _ place: String, _ words: Set<String>) -> [String] {
        let members = (place.isEmpty ? value : value[place])?.object?.keys ?? []
        let path = place.isEmpty ? "orc" : "orc.\(place)"
        return members.filter { !words.contains($0) }.map {
            "\(path): \(Suggestion.complaint(about: $0, of: words.sorted()))"
        }
    }

    func text(_ value: JSON?, _ name: String) throws(PlanError) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let text = value.string, !text.isEmpty, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw malformed("\(name) must be one line of text")
        }
        return text
    }

    func flag(_ value: JSON?, _ name: String) throws(PlanError) -> Bool? {
        guard let value, !value.isNull else { return nil }
        guard let flag = value.bool else { throw malformed("\(name) must be true or false") }
        return flag
    }

    func whole(_ value: JSON?, _ name: String, _ range: ClosedRange<Int>) throws(PlanError) -> Int? {
        guard let value, !value.isNull else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw malformed("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func word<Word>(_ value: JSON?, _ name: String, _ read: (String) -> Word?) throws(PlanError) -> Word? {
        guard let text = try text(value, name) else { return nil }
        guard let word = read(text) else { throw malformed("\(name) cannot be \(text)") }
        return word
    }

    func words(_ value: JSON?, _ name: String) throws(PlanError) -> [String]? {
        guard let value, !value.isNull else { return nil }
        guard let words = value.array?.compactMap(\.string), words.count == value.array?.count else {
            throw malformed("\(name) must be a list of text")
        }
        return words
    }

    /// Minimum memory of a container in bytes that the engine accepts (Docker and Podman alike).
    private static let leastMemory = 6 << 20
    private static let leastTemporary = 1 << 20
    private static let leastDisk = 1 << 20

    /// Parses a number of bytes, or text such as `512m` or `4g` (powers of 1024); throws if it is below `least` bytes.
    func bytes(_ value: JSON?, _ name: String, least: Int) throws(PlanError) -> Int? {
        guard let value, !value.isNull else { return nil }
        guard let bytes = Self.bytes(value) else {
            throw malformed("\(name) must be bytes, or a number with k, m or g")
        }
        guard bytes >= least else { throw malformed("\(name) must be at least \(least >> 20)m") }
        return bytes
    }

    private static func bytes(_ value: JSON) -> Int? {
        let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        if let number = value.int { return number }
        guard let text = value.string?.lowercased(), let unit = text.last.flatMap({ units[$0] }),
            let number = Int(text.dropLast()), number > 0, number <= Int.max / unit
        else { return nil }
        return number * unit
    }
}
