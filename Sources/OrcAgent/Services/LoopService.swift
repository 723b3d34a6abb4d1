import ServiceLifecycle

/// A loop that is cancelled at a graceful shutdown; `name` is for the log.
struct LoopService: Service {
    let name: String
    let loop: @Sendable () async -> Void

    func run() async { await cancelWhenGracefulShutdown { await loop() } }
}
