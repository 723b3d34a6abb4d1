import ServiceLifecycle

/// Runs the queues of all servers; records when the agent begins to stop.
struct ServerQueueService: Service {
    let queues: ServerQueues
    let ending: AgentEnding

    func run() async {
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown { await queues.run() }
        } onGracefulShutdown: {
            ending.begin()
        }
    }
}
