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
