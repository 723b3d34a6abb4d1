import OrcContract
import OrcCore

/// Dispatches commands: performs them at once, runs them outside the queues, or adds them to a server's queue.
struct CommandDispatcher: Sendable {
    let actions: ActionRunner
    let completion: CommandCompletion
    let queues: ServerQueues
    let replySender: ReplySender
    let ending: AgentEnding

    /// Maximum attempts, half a second apart, to queue a schedule's command while the server's queue is full.
    private static let retries = 120

    /// Performs a command that the agent itself issues, and returns its last reply; nil if the agent is stopping.
    func perform(_ command: Command, begin: @escaping @Sendable () throws -> Void) async -> Reply? {
        let replies = completion.waiters.expect(command, begin: begin)
        for attempt in 0... {
            if await take(command) { break }
            guard attempt < Self.retries, !Task.isCancelled, !ending.hasBegun else {
                completion.finish(command, with: ActionError(.busy, "too many commands are waiting"))
                break
            }
            await AsyncSignal().wait(.milliseconds(500))
        }
        for await reply in replies { return reply }
        return nil
    }

    /// Dispatches a command.
    ///
    /// - Returns: false if too many commands are waiting; no terminal reply has been sent in that case.
    func take(_ command: Command) async -> Bool {
        if let refusal = actions.refusal(of: command) {
            completion.finish(command, with: refusal)
            return true
        }
        let job = ServerJob(command)
        // A schedule needs no `accepted`, and tries again if there is no room.
        if command.origin == .bus { replySender.accept(command) }
        switch command.effect {
        case .reads, .arranges:
            // A query of a server that is being created waits for it outside the queues.
            if let server = command.server, actions.isStillExpected(server) { return queues.runBeside(job) }
            await actions.perform(job)
            return true
        case .asks: return queues.runBeside(job)
        case .changes, .supersedes: return queues.enqueue(job, for: command.server)
        }
    }
}
