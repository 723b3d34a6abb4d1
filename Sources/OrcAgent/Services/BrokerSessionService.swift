import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcStorage
import ServiceLifecycle

struct BrokerSessionService: Service {
    let session: BrokerSession
    let audit: AuditLog

    func run() async {
        await cancelWhenGracefulShutdown { await session.run() }
        await session.close()
        audit.flush()
    }
}
