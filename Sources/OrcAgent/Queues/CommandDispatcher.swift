import OrcContract
import OrcCore

/// Sends a command to where its action is carried out: at once, beside all else, or down its server's queue.
struct CommandDispatcher: Sendable {
    let actions: ActionRunner
    let completion: CommandCompletion
    let queues: ServerQueues
    let replySender: ReplySender
    let ending: AgentEnding

    /// Half-seconds for which a schedule's command waits while its server's queue is full.
    private static let retries = 120

    /// Performs a command of the agent's own and returns its last reply; nil if the agent is stopping.
    func perform(_ command: Command, begin: @escaping @Sendable () throws -> Void) async -> Reply? {
        let replies = completion.waiters.expect(command, begin: begin)
        for attempt in 0... {
            if await take(command) { break }
            guard attempt < Self.retries, !Task.isCancelled, !ending.hasBegun else {
                completion.finish(command, with: ActionError(.busy, "too many commands wait"))
                break
            }
            await AsyncSignal().wait(.milliseconds(500))
        }
        for await reply in replies { return reply }
        return nil
    }

    /// - Returns: false where there is no room for it; nobody has been told then.
    func take(_ command: Command) async -> Bool {
        if let refusal = actions.refusal(of: command) {
            completion.finish(command, with: refusal)
            return true
        }
        let job = ServerJob(command)
        // A schedule waits for no word, and tries again where there is no room.
        if command.origin == .bus { replySender.accept(command) }
        switch command.effect {
        case .reads, .arranges:
            // Whoever asks for a server that is just being made waits for it beside all else.
            if let server = command.server, actions.isStillExpected(server) { return queues.runBeside(job) }
            await actions.perform(job)
            return true
        case .asks: return queues.runBeside(job)
        case .changes, .supersedes: return queues.enqueue(job, for: command.server)
        }
    }
}
