import OrcContract
import OrcCore
import Synchronization

/// The queue of one server's commands, performed one at a time in order of arrival.
final class ServerQueue: Sendable {
    private let perform: @Sendable (ServerJob) async -> Void
    let state = Mutex(State())
    private let wakeups: AsyncStream<Void>
    private let wakeup: AsyncStream<Void>.Continuation

    struct State {
        var waiting: [Waiting] = []
        var running: (job: ServerJob, task: Task<Void, Never>)?
    }

    struct Waiting {
        let job: ServerJob
        var isBrokenOff = false
    }

    /// `perform`: performs a job and sends its reply; when cancelled, it returns at the next safe point.
    init(perform: @escaping @Sendable (ServerJob) async -> Void) {
        self.perform = perform
        (wakeups, wakeup) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Appends a job, and interrupts the earlier jobs that this job supersedes.
    ///
    /// - Returns: false if ``Limits/queueDepth`` jobs are waiting already, or twice as many if the job supersedes
    /// others.
    func enqueue(_ job: ServerJob) -> Bool {
        let isTaken = state.withLock { state in
            // A job that ends the run of a server is accepted even if the queue is full of other jobs.
            guard state.waiting.count < (job.supersedes ? 2 : 1) * Limits.queueDepth else { return false }
            for index in state.waiting.indices where job.breaksOff(state.waiting[index].job) {
                state.waiting[index].isBrokenOff = true
            }
            if let running = state.running, job.breaksOff(running.job) {
                running.task.cancel()
                if job.verb == .kill { running.job.breaker.breakNow() }
            }
            state.waiting.append(Waiting(job: job))
            return true
        }
        wakeup.yield()
        return isTaken
    }

    /// Performs jobs until cancelled or closed.
    ///
    /// Jobs that are still waiting are then cancelled, and answered as cancelled.
    func run(onIdle: () -> Void = {}) async {
        for await _ in wakeups {
            await drain()
            onIdle()
        }
        await drain()
    }

    /// Closes the queue if it is idle.
    func closeIfIdle() -> Bool {
        let isIdle = state.withLock { $0.waiting.isEmpty && $0.running == nil }
        if isIdle { wakeup.finish() }
        return isIdle
    }

    private func drain() async {
        while let (job, task) = startNext() {
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
                job.breaker.breakNow()
            }
            state.withLock { $0.running = nil }
        }
    }

    private func startNext() -> (ServerJob, Task<Void, Never>)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            let next = state.waiting.removeFirst()
            let task = Task { await perform(next.job) }
            if next.isBrokenOff || Task.isCancelled { task.cancel() }
            state.running = (next.job, task)
            return (next.job, task)
        }
    }
}

/// The queues of all servers, and one for the jobs of the agent itself.
final class ServerQueues: Sendable {
    private let perform: @Sendable (ServerJob) async -> Void
    private let isLasting: @Sendable (ServerID) -> Bool
    private let queues = Mutex<[ServerID?: ServerQueue]>([:])
    private let opened: AsyncStream<Opening>
    private let open: AsyncStream<Opening>.Continuation
    /// Number of jobs running outside the queues.
    private let concurrentJobs = Atomic(0)

    private enum Opening: Sendable {
        case queue(ServerID?, ServerQueue)
        case beside(ServerJob)
    }

    /// `isLasting`: returns true if a server's queue is kept while it is idle.
    ///
    /// Other idle queues are removed, so that commands for servers that never exist leave nothing behind.
    init(isLasting: @escaping @Sendable (ServerID) -> Bool, perform: @escaping @Sendable (ServerJob) async -> Void) {
        self.isLasting = isLasting
        self.perform = perform
        (opened, open) = AsyncStream.makeStream(bufferingPolicy: .unbounded)  // one per queue or job
    }

    func enqueue(_ job: ServerJob, for server: ServerID?) -> Bool {
        queues.withLock { queues in
            if let queue = queues[server] { return queue.enqueue(job) }
            let queue = ServerQueue(perform: perform)
            queues[server] = queue
            open.yield(.queue(server, queue))
            return queue.enqueue(job)
        }
    }

    /// Performs a job that changes nothing, at once and outside the queues.
    ///
    /// - Returns: false if ``Limits/questions`` such jobs are running already.
    func runBeside(_ job: ServerJob) -> Bool {
        guard concurrentJobs.add(1, ordering: .relaxed).oldValue < Limits.questions else {
            concurrentJobs.subtract(1, ordering: .relaxed)
            return false
        }
        open.yield(.beside(job))
        return true
    }

    /// Runs every queue until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await opening in opened {
                switch opening {
                case .queue(let server, let queue):
                    group.addTask { await queue.run { self.closeIfUnused(server, queue) } }
                case .beside(let job):
                    group.addTask {
                        await self.perform(job)
                        self.concurrentJobs.subtract(1, ordering: .relaxed)
                    }
                }
            }
        }
    }

    private func closeIfUnused(_ server: ServerID?, _ queue: ServerQueue) {
        guard let server, !isLasting(server) else { return }
        queues.withLock { queues in
            if queue.closeIfIdle() { queues[server] = nil }
        }
    }
}
