package import Peon

/// What a plan's `orc` object adds to a war plan.
///
/// Members that are not known here are left for later versions.
package struct PlanOptions: Sendable, Equatable {
    package var stop = StopOptions()
    package var resources = Resources()
    package var security = Security()
    package var ports: PlanPort.Arrangement?

    /// How the game is asked to stop; what is nil is chosen from the image.
    package struct StopOptions: Sendable, Equatable {
        package var command: String?
        package var signal: StopSignal?
        package var signalsAll: Bool?
        /// Seconds before the server is killed.
        package var grace: Int?

        package init() {}
    }

    package struct Resources: Sendable, Equatable {
        /// Bytes; nil without a limit.
        package var memory: Int?
        /// Cores; nil without a limit.
        package var cpus: Double?
        /// Processes and threads.
        package var pids = 4096
    }

    /// PEON's images use `su` and `chown` as they start, so what these need stays; the rest of the engine's default
    /// capabilities goes.
    package struct Security: Sendable, Equatable {
        package var user = "1000:1000"
        package var dropped = ["FSETID", "MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"]
        package var added: [String] = []
        package var hasNoNewPrivileges = false
    }

    init() {}

    init(_ value: JSON, file: String) throws(PlanError) {
        guard !value.isNull else { return }
        guard value.object != nil else { throw .malformed(file: file, what: "orc is not an object") }
        let reader = OptionsReader(file: file)
        try reader.stop(value["stop"], into: &stop)
        try reader.resources(value["resources"], into: &resources)
        try reader.security(value["security"], into: &security)
        ports = try reader.word(value["ports"], "orc.ports", PlanPort.Arrangement.init)
    }
}

private struct OptionsReader {
    let file: String

    func malformed(_ what: String) -> PlanError { .malformed(file: file, what: what) }

    func stop(_ value: JSON?, into stop: inout PlanOptions.StopOptions) throws(PlanError) {
        stop.command = try text(value?["command"], "orc.stop.command")
        stop.signal = try word(value?["signal"], "orc.stop.signal", StopSignal.init)
        stop.signalsAll = try flag(value?["all"], "orc.stop.all")
        stop.grace = try whole(value?["grace"], "orc.stop.grace", 0...3600)
    }

    func resources(_ value: JSON?, into resources: inout PlanOptions.Resources) throws(PlanError) {
        resources.memory = try bytes(value?["memory"], "orc.resources.memory")
        if let cpus = value?["cpus"], !cpus.isNull {
            guard let cores = cpus.double, cores > 0, cores <= 1024 else {
                throw malformed("orc.resources.cpus must be a number of cores")
            }
            resources.cpus = cores
        }
        resources.pids = try whole(value?["pids"], "orc.resources.pids", 1...4_194_304) ?? resources.pids
    }

    func security(_ value: JSON?, into security: inout PlanOptions.Security) throws(PlanError) {
        security.user = try text(value?["user"], "orc.security.user") ?? security.user
        security.dropped = try words(value?["cap_drop"], "orc.security.cap_drop") ?? security.dropped
        security.added = try words(value?["cap_add"], "orc.security.cap_add") ?? security.added
        security.hasNoNewPrivileges =
            try flag(value?["no_new_privileges"], "orc.security.no_new_privileges") ?? security.hasNoNewPrivileges
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

    /// A number of bytes, or text such as `512m` or `4g` (powers of 1024).
    func bytes(_ value: JSON?, _ name: String) throws(PlanError) -> Int? {
        guard let value, !value.isNull else { return nil }
        let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        if let number = value.int, number > 0 { return number }
        if let text = value.string?.lowercased(), let unit = text.last.flatMap({ units[$0] }),
            let number = Int(text.dropLast()), number > 0, number <= Int.max / unit
        {
            return number * unit
        }
        throw malformed("\(name) must be bytes, or a number with k, m or g")
    }
}
