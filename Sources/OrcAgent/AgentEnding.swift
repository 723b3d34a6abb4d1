import Synchronization

/// A flag that is true once the agent is stopping; unfinished operations are left to the agent's next run.
final class AgentEnding: Sendable {
    private let flag = Atomic(false)

    var hasBegun: Bool { flag.load(ordering: .relaxed) }

    func begin() { flag.store(true, ordering: .relaxed) }
}
