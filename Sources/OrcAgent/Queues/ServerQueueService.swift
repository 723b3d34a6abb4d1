import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcStorage
import ServiceLifecycle

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
