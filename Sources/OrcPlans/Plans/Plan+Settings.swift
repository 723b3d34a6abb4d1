package import OrcCore

extension Plan {
    /// The setting for the game's Steam id; if the plan sets its value, the owner cannot change the value.
    private static let steamID = "STEAM_ID"
    /// Settings that an owner may give with any plan: the time zone, which the C library of every game uses.
    private static let always: Set<String> = ["TZ"]

    /// Returns the plan's environment and port numbers with the owner's settings applied.
    ///
    /// A setting whose value in the plan's `environment` is null is required. Throws if a required setting is missing,
    /// or if `settings` has a name that is neither in `environment` nor the name of a port.
    package func applying(_ settings: JSON.Object) throws(PlanError) -> (environment: JSON.Object, ports: [String: Int])
    {
        let portNames = Set(portGroups.joined().map(\.name))
        let unknown = settings.keys.filter {
            environment[$0] == nil && !portNames.contains($0) && !Self.always.contains($0)
        }
        guard unknown.isEmpty else { throw .unknownSettings(unknown) }
        let missing = environment.members.filter { $0.value.isNull && (settings[$0.key] ?? .null).isNull }
        guard missing.isEmpty else { throw .missingSettings(missing.map(\.key)) }
        var applied = environment
        var ports: [String: Int] = [:]
        for (name, value) in settings.members where !value.isNull {
            if environment[name] != nil || Self.always.contains(name) { applied[name] = try accepted(value, for: name) }
            if portNames.contains(name) { ports[name] = try port(value, name: name) }
        }
        return (applied, ports)
    }

    private func accepted(_ value: JSON, for name: String) throws(PlanError) -> JSON {
        guard let text = value.environmentText else {
            throw .badSetting(name: name, reason: "must be text, a number, true or false")
        }
        guard !text.utf8.contains(0) else { throw .badSetting(name: name, reason: "must not hold a NUL") }
        if name == "TZ", !text.isEmpty, !TimeZoneName.allowsVariable(text) {
            throw .badSetting(name: name, reason: "must be a time zone such as Europe/Berlin")
        }
        if name == Self.steamID, let own = environment[name], !own.isNull, own != value {
            throw .badSetting(name: name, reason: "is \(own.environmentText ?? "") by the plan")
        }
        return value
    }

    private func port(_ value: JSON, name: String) throws(PlanError) -> Int {
        guard let number = value.int ?? value.string.flatMap({ Int($0) }), (1...65535).contains(number) else {
            throw .badSetting(name: name, reason: "must be a port number")
        }
        return number
    }

    /// The settings in the form of PEON's REST API.
    ///
    /// Settings without a value come first, as "", then the others as text, then the description. STEAM_ID is left out
    /// if the plan sets its value.
    package var settingsReport: JSON {
        var report = JSON.Object()
        for (name, value) in environment.members where value.isFalsy { report[name] = "" }
        for (name, value) in environment.members where !value.isFalsy && name != Self.steamID {
            report[name] = .string(value.environmentText ?? value.text())
        }
        report["description"] = .string(description.isEmpty ? "A PEON game server for \(game)." : description)
        return .object(report)
    }
}

extension JSON {
    /// The JSON value as text for a container's environment variable; nil if the value has no such text.
    package var environmentText: String? {
        switch self {
        case .string(let text): text
        case .number(let literal): literal
        case .bool(let flag): flag ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    fileprivate var isFalsy: Bool {
        switch self {
        case .null, .string(""), .bool(false): true
        case .number: double == 0
        case .string, .bool, .array, .object: false
        }
    }
}
