import Synchronization

/// True once the agent itself is about to end: what is under way then is left to its next run.
final class AgentEnding: Sendable {
    private let flag = Atomic(false)

    var hasBegun: Bool { flag.load(ordering: .relaxed) }

    func begin() { flag.store(true, ordering: .relaxed) }
}
