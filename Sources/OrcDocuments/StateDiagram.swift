import OrcContract

/// `topics/states.md`: the life of a server, written from ``ServerStateMachine``.
enum StateDiagram {
    static var text: String {
        """
        # The states of a server

        Written by the code (`orc topics --write topics`) from the same function that the agent runs. Each arrow is what
        the engine shows of the server, or what the agent sets out to do. An arrow from a box leads out of each of its states.

        ```mermaid
        stateDiagram-v2
        \(arrows.joined(separator: "\n"))
        ```

        | sign | what it is | leads to | tells |
        |---|---|---|---|
        \(rows.joined(separator: "\n"))

        Beside the state, `activity` says what is being done: \(activities).
        `reason` says why a server is in its state; `container_state` is the engine's own word.

        """
    }

    private static var activities: String { Activity.allCases.map(\.rawValue).joined(separator: ", ") }

    /// One of each kind of sign, in the words of the diagram.
    static let signs: [(sign: ServerInput, name: String, meaning: String)] = [
        (.starts, "starts", "the agent sets out to bring it up"),
        (.startFails("reason"), "start fails", "the agent could not bring it up"),
        (.comesUp(isNew: true), "comes up", "its container runs, and it is not ready yet"),
        (
            .isReady, "is ready",
            "the plan's pattern, the health check, the image's state file, or some seconds of running"
        ),
        (.isUnready("reason"), "is unready", "it did not get ready in time, or its health check fails"),
        (.isPaused, "is paused", "the engine has frozen it"),
        (.stops, "stops", "the agent asks it to stop"),
        (.ended(.stopped(nil), isNew: true), "ends", "as asked, or in order of its own accord"),
        (.ended(.crashed("reason"), isNew: true), "crashes", "a run ends that nobody asked to end, and not in order"),
        (.ended(.failed("reason"), isNew: true), "breaks", "its container never came to run"),
        (.isIdle("reason"), "is idle", "it has never run"),
        (.isGone, "is gone", "it should have a container and has none"),
        (.isUnseen("reason"), "is unseen", "the engine does not say how it is"),
    ]

    /// The states in which a server's processes are there, and those in which they are not, each drawn as one box.
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

    /// The states that a sign leads out of.
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
                case .awaitReadiness: "the wait until it is ready"
                case .considerRestart: "the restart policy"
                }
            if !words.contains(word) { words.append(word) }
        }
        return words.joined(separator: ", ")
    }
}
