import OrcContract

/// The document `topics/states.md`: a server's states, generated from ``ServerStateMachine``.
enum StateDiagram {
    static var text: String {
        """
        # The states of a server

        Generated (`orc topics --write topics`) from the same function that the agent runs. Each arrow is an observation of
        the container engine or an action of the agent. An arrow from a box starts at each of the box's states.

        ```mermaid
        stateDiagram-v2
        \(arrows.joined(separator: "\n"))
        ```

        | input | meaning | next state | effects |
        |---|---|---|---|
        \(rows.joined(separator: "\n"))

        In addition to the state, `activity` is the operation under way: \(activities).
        `reason` explains the state; `container_state` is the state in the engine's own words.

        """
    }

    private static var activities: String { Activity.allCases.map(\.rawValue).joined(separator: ", ") }

    /// An example of each kind of input to the state machine, with the kind's name and meaning in the diagram.
    static let signs: [(sign: ServerInput, name: String, meaning: String)] = [
        (.starts, "starts", "the agent begins to start the server"),
        (.startFails("reason"), "start fails", "the agent could not start the server"),
        (.comesUp(isNew: true), "comes up", "its container runs, and the server is not ready yet"),
        (
            .isReady, "is ready",
            "the plan's pattern, the health check, the image's state file, or some seconds of running"
        ),
        (.isUnready("reason"), "is unready", "it did not get ready in time, or its health check fails"),
        (.isPaused, "is paused", "the engine has paused its container"),
        (.stops, "stops", "the agent begins to stop the server"),
        (.ended(.stopped(nil), isNew: true), "ends", "its run ends as requested, or by itself without an error"),
        (.ended(.crashed("reason"), isNew: true), "crashes", "its run ends by itself, with an error"),
        (.ended(.failed("reason"), isNew: true), "breaks", "its container never ran"),
        (.isIdle("reason"), "is idle", "it has never run"),
        (.isGone, "is gone", "it should have a container and has none"),
        (.isUnseen("reason"), "is unseen", "the engine does not report the state of its container"),
    ]

    /// Two groups of states, with running processes and without; each group is drawn as one box.
    private static let boxes: [(name: String, states: [ServerState])] = [
        ("up", ServerState.allCases.filter(\.isUp)),
        ("down", ServerState.allCases.filter { !$0.isUp && $0 != .unknown }),
    ]

    private static var arrows: [String] {
        var lines = boxes.flatMap { box in
            ["    state \(box.name) {"] + box.states.map { "        \($0.rawValue)" } + ["    }"]
        }
        lines.append("    [*] --> unknown")
        for (sign, name, _) in signs {
            guard let target = target(of: sign) else { continue }
            let sources = sources(of: sign)
            for box in boxes {
                let leading = box.states.filter(sources.contains)
                if leading.count == box.states.filter({ $0 != target }).count, !leading.isEmpty {
                    lines.append("    \(box.name) --> \(target.rawValue): \(name)")
                } else {
                    lines += leading.map { "    \($0.rawValue) --> \(target.rawValue): \(name)" }
                }
            }
            if sources.contains(.unknown) { lines.append("    unknown --> \(target.rawValue): \(name)") }
        }
        return lines
    }

    /// Returns the states in which the input `sign` changes the state.
    private static func sources(of sign: ServerInput) -> [ServerState] {
        ServerState.allCases.filter { ServerStateMachine.next(ServerStatus($0), sign).condition.state != $0 }
    }

    private static func target(of sign: ServerInput) -> ServerState? {
        sources(of: sign).first.map { ServerStateMachine.next(ServerStatus($0), sign).condition.state }
    }

    private static var rows: [String] {
        signs.map { sign, name, meaning in
            let target = target(of: sign)
            let unmoved = ServerState.allCases.filter { $0 != target && !sources(of: sign).contains($0) }
            let exception = unmoved.isEmpty ? "" : ", but not from \(unmoved.map(\.rawValue).joined(separator: ", "))"
            let effects = ServerState.allCases.flatMap { ServerStateMachine.next(ServerStatus($0), sign).effects }
            return "| \(name) | \(meaning) | \(target?.rawValue ?? "")\(exception) | \(words(effects)) |"
        }
    }

    private static func words(_ effects: [ServerEffect]) -> String {
        var words: [String] = []
        for effect in effects {
            let word =
                switch effect {
                case .announce(let event): "event `\(event.rawValue)`"
                case .awaitReadiness: "readiness check"
                case .considerRestart: "restart decision"
                }
            if !words.contains(word) { words.append(word) }
        }
        return words.joined(separator: ", ")
    }
}
