package import FoundationEssentials
package import OrcCore

extension ScheduleDraft {
    /// The values that are needed, in addition to the arguments, to parse a schedule.
    package struct Context {
        package let id: String
        package let scope: Schedule.Scope
        /// Time zone of the cron line if the arguments name none.
        package let zone: String
        package let by: String?
        package let now: Date

        package init(id: String, scope: Schedule.Scope, zone: String, by: String?, now: Date) {
            self.id = id
            self.scope = scope
            self.zone = zone
            self.by = by
            self.now = now
        }
    }

    /// Parses the arguments of the action `schedule`.
    ///
    /// - Throws: the error of an invalid argument, beginning with the argument's name.
    package init(_ arguments: JSON.Object, _ context: Context) throws(InvalidArgument) {
        let timing = try Self.timing(arguments, context)
        if case .once(let date) = timing, date < context.now.addingTimeInterval(-Schedule.Bound.lateness) {
            throw InvalidArgument("at: \(Timestamp.text(date)) has passed")
        }
        try self.init(arguments, timing, context)
    }

    private init(_ arguments: JSON.Object, _ timing: Schedule.Timing, _ context: Context) throws(InvalidArgument) {
        self.init(
            id: context.id, scope: context.scope, timing: timing, steps: try StepReader(context.scope).steps(arguments),
            created: context.now)
        isEnabled = arguments["enabled"]?.flag ?? true
        missed = try Self.missed(arguments, timing)
        jitter = try Self.interval("jitter", arguments, most: Schedule.Bound.jitter) ?? 0
        note = arguments["note"]?.string
        if arguments["only_if_running"]?.flag == true { onlyIf.insert(.running) }
        if arguments["only_if_empty"]?.flag == true { onlyIf.insert(.empty) }
        if case .agent = scope, !onlyIf.isEmpty {
            throw InvalidArgument("only_if_running: applies only to schedules of servers")
        }
        continuesOnFailure = arguments["on_failure"]?.string == "continue"
        by = context.by
    }

    private static func timing(
        _ arguments: JSON.Object, _ context: Context
    ) throws(InvalidArgument) -> Schedule.Timing {
        let given = ["at", "in", "cron"].filter { arguments.given($0) != nil }
        guard given.count == 1, let name = given.first, let value = arguments[name] else {
            throw InvalidArgument("at: exactly one of at, in and cron must be given")
        }
        let zone = arguments["zone"]?.string ?? context.zone
        guard TimeZoneName.allows(zone) else { throw InvalidArgument("zone: must be a name such as Europe/Berlin") }
        if name == "cron" {
            do { return .again(try Cron(value.string ?? ""), zone: zone) } catch {
                throw InvalidArgument("cron: \(error)")
            }
        }
        guard let date = name == "at" ? TimeArgument.date(value) : TimeArgument.date(after: value, from: context.now)
        else {
            throw InvalidArgument("\(name): cannot be read")
        }
        return .once(date)
    }

    private static func missed(
        _ arguments: JSON.Object, _ timing: Schedule.Timing
    ) throws(InvalidArgument) -> Schedule.MissedRunPolicy {
        let window = try interval("window", arguments, most: Schedule.Bound.window)
        switch arguments["missed"]?.string {
        case "skip"?: return .skip
        case "run_once"?: return .runOnce(within: window ?? 86_400)
        default:
            guard case .once = timing else { return .skip }
            return .runOnce(within: window ?? 86_400)
        }
    }

    private static func interval(
        _ name: String, _ arguments: JSON.Object, most: Int
    ) throws(InvalidArgument) -> Int? {
        guard let value = arguments.given(name) else { return nil }
        guard let seconds = DurationText.seconds(value), seconds <= most else {
            throw InvalidArgument("\(name): must be at most \(DurationText.text(most))")
        }
        return seconds
    }
}

extension ScheduleDraft {
    /// Parses the ``Schedule/definition`` of a stored schedule; a time that has passed since then is accepted.
    ///
    /// - Throws: the error if the definition is invalid.
    package init(stored: JSON.Object, id: String, scope: Schedule.Scope) throws(InvalidArgument) {
        guard let created = stored["created"].flatMap(Timestamp.date) else {
            throw InvalidArgument("created: is missing")
        }
        let context = Context(id: id, scope: scope, zone: "UTC", by: stored["by"]?.string, now: created)
        try self.init(stored, try Self.timing(stored, context), context)
        if stored["v"] == nil { steps = steps.map(\.asWarningBefore) }
    }
}

extension Schedule {
    /// The schedule's stored form: arguments from which the schedule can be parsed again.
    package var definition: JSON.Object {
        var definition: JSON.Object = [:]
        switch timing {
        case .once(let date): definition["at"] = .number(String(date.timeIntervalSince1970))
        case .again(let cron, let zone):
            definition["cron"] = .string(cron.text)
            definition["zone"] = .string(zone)
        }
        definition["v"] = 2
        definition["steps"] = .array(steps.map(\.json))
        if !isEnabled { definition["enabled"] = false }
        switch missed {
        case .skip: definition["missed"] = "skip"
        case .runOnce(let window):
            definition["missed"] = "run_once"
            definition["window"] = .string(DurationText.text(window))
        }
        if jitter > 0 { definition["jitter"] = .string(DurationText.text(jitter)) }
        if let note { definition["note"] = .string(note) }
        if onlyIf.contains(.running) { definition["only_if_running"] = true }
        if onlyIf.contains(.empty) { definition["only_if_empty"] = true }
        if continuesOnFailure { definition["on_failure"] = "continue" }
        definition["by"] = .optional(by)
        definition["created"] = .number(String(created.timeIntervalSince1970))
        return definition
    }
}

/// Parses the steps of a schedule.
private struct StepReader {
    let scope: Schedule.Scope

    init(_ scope: Schedule.Scope) { self.scope = scope }

    /// Returns the warnings in `warn`, followed by the steps in `steps` or the single step in `action`.
    func steps(_ arguments: JSON.Object) throws(InvalidArgument) -> [Schedule.Step] {
        var steps = try warnings(arguments["warn"])
        let given = arguments.given("steps")
        let action = arguments.given("action")
        switch (given, action) {
        case (nil, let action?):
            steps.append(try step(["action": action, "arguments": arguments["arguments"] ?? [:]], "action"))
        case (let given?, nil):
            for (index, value) in (given.array ?? []).enumerated() {
                steps.append(try step(value, "steps: number \(index + 1)"))
            }
        default: throw InvalidArgument("action: exactly one of action and steps must be given")
        }
        let count = Schedule.Bound.steps
        guard (1...count).contains(steps.count) else { throw InvalidArgument("steps: must be 1 to \(count)") }
        let offsets = steps.compactMap(\.offset)
        let free = steps.firstIndex { $0.offset == nil } ?? steps.count
        guard zip(offsets, offsets.dropFirst()).allSatisfy({ $0 <= $1 }),
            !steps[free...].contains(where: { $0.offset ?? 0 < 0 })
        else {
            throw InvalidArgument("steps: must be in the order of their times")
        }
        return anchored(steps)
    }

    /// Returns the steps with offset 0 for the first step after those before the due time, if that step has no offset.
    private func anchored(_ steps: [Schedule.Step]) -> [Schedule.Step] {
        guard let last = steps.lastIndex(where: { $0.offset ?? 0 < 0 }), last + 1 < steps.count,
            steps[last + 1].offset == nil
        else { return steps }
        var anchored = steps
        let step = steps[last + 1]
        anchored[last + 1] = Schedule.Step(action: step.action, arguments: step.arguments, offset: 0)
        return anchored
    }

    private func step(_ value: JSON, _ place: String) throws(InvalidArgument) -> Schedule.Step {
        guard let word = value["action"]?.string, let action = action(word) else {
            throw InvalidArgument("\(place): there is no action \(value["action"]?.string?.prefix(64) ?? "")")
        }
        guard !action.isScheduling else { throw InvalidArgument("\(place): a schedule makes and ends no schedules") }
        let arguments = value.object?.given("arguments") ?? [:]
        guard let members = arguments.object else { throw InvalidArgument("\(place): arguments must be an object") }
        if let complaint = action.spec.complaint(about: members) { throw InvalidArgument("\(place): \(complaint)") }
        if action.spec.stopTime == .taken,
            members["interval"] != nil || members["epoch_time"] != nil
        {
            throw InvalidArgument("\(place): must not have interval or epoch_time")
        }
        let offset = try offset(value["at"], place)
        let isWarning = value["warning"]?.flag ?? false
        guard !isWarning || action == .server(.console) && offset ?? 0 < 0 else {
            throw InvalidArgument("\(place): a warning must be a console line before the due time")
        }
        return Schedule.Step(action: action, arguments: members, offset: offset, isWarning: isWarning)
    }

    private func action(_ word: String) -> Action? {
        switch scope {
        case .server, .game: ServerAction(rawValue: word).map(Action.server)
        case .agent: AgentAction(rawValue: word).map(Action.agent)
        }
    }

    /// Returns an offset in seconds, parsed from text such as `-15m` or `10m`, or from a number of minutes.
    ///
    /// `place`: beginning of the error message, which names the argument.
    private func offset(_ value: JSON?, _ place: String) throws(InvalidArgument) -> Int? {
        guard let value, !value.isNull else { return nil }
        let text = value.string ?? value.int.map(String.init) ?? ""
        let isBefore = text.hasPrefix("-")
        guard let seconds = DurationText.seconds(isBefore ? String(text.dropFirst()) : text),
            seconds <= Schedule.Bound.offset
        else {
            throw InvalidArgument(
                "\(place): at must be such as -15m or 10m, at most \(DurationText.text(Schedule.Bound.offset))")
        }
        return isBefore ? -seconds : seconds
    }

    /// Returns the warnings in `warn`: console lines sent before the due time, earliest first.
    private func warnings(_ value: JSON?) throws(InvalidArgument) -> [Schedule.Step] {
        guard let value, !value.isNull else { return [] }
        guard let command = value["command"]?.string, let before = value["before"]?.array,
            (1...Schedule.Bound.warnings).contains(before.count)
        else {
            throw InvalidArgument(
                "warn: must have a command and, in before, 1 to \(Schedule.Bound.warnings) intervals such as 15m")
        }
        if case .agent = scope { throw InvalidArgument("warn: applies only to schedules of servers") }
        var seconds: [Int] = []
        for interval in before {
            guard let length = DurationText.seconds(interval), (1...Schedule.Bound.offset).contains(length) else {
                throw InvalidArgument(
                    "warn: before must hold intervals such as 15m, at most \(DurationText.text(Schedule.Bound.offset))")
            }
            seconds.append(length)
        }
        var steps: [Schedule.Step] = []
        for length in seconds.sorted(by: >) {
            let line = command.replacing("{left}", with: DurationText.words(length))
            let arguments: JSON.Object = ["command": .string(line)]
            if let complaint = ServerAction.console.spec.complaint(about: arguments) {
                throw InvalidArgument("warn: \(complaint)")
            }
            steps.append(
                Schedule.Step(action: .server(.console), arguments: arguments, offset: -length, isWarning: true))
        }
        return steps
    }
}

extension Schedule.Step {
    /// A copy for schedules stored by the first version, in which every console line before the due time was a warning.
    fileprivate var asWarningBefore: Schedule.Step {
        let isWarning = action == .server(.console) && offset ?? 0 < 0
        return Schedule.Step(action: action, arguments: arguments, offset: offset, isWarning: isWarning)
    }

    package var json: JSON {
        var json: JSON.Object = ["action": .string(action.name), "arguments": .object(arguments)]
        if let offset { json["at"] = .string((offset < 0 ? "-" : "") + DurationText.text(abs(offset))) }
        if isWarning { json["warning"] = true }
        return .object(json)
    }
}
