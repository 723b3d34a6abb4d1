import Peon
import Synchronization

/// A command on its way through a lane.
struct Job: Sendable {
    let command: Command
    /// What is done to the server; nil for an action of the agent's.
    ///
    /// `power` has become start, stop or restart.
    let verb: ServerAction?

    init(_ command: Command) {
        self.command = command
        switch command.action {
        case .agent: verb = nil
        case .server(.power):
            switch command.arguments["state"]?.string.flatMap(PowerWord.init) {
            case .off?, .stop?: verb = .stop
            case .restart?: verb = .restart
            case .on?, .start?, nil: verb = .start
            }
        case .server(let action): verb = action
        }
    }

    /// Whether this one, coming after `earlier`, takes its place.
    func breaksOff(_ earlier: Job) -> Bool {
        switch (verb, earlier.verb) {
        case (.kill, .stop), (.kill, .restart): true
        case (.stop, _), (.kill, _), (.destroy, _), (.eradicate, _):
            [.create, .start, .restart, .pause, .unpause].contains(earlier.verb)
        default: false
        }
    }
}

/// One server's commands: one at a time, in the order in which they came.
final class Lane: Sendable {
    private let perform: @Sendable (Job) async -> Void
    let state = Mutex(State())
    private let wakeups: AsyncStream<Void>
    private let wakeup: AsyncStream<Void>.Continuation

    struct State {
        var waiting: [Waiting] = []
        var running: (job: Job, task: Task<Void, Never>)?
    }

    struct Waiting {
        let job: Job
        var isBrokenOff = false
    }

    /// - Parameter perform: does a job and answers it; cancelled, it ends at the next safe point.
    init(perform: @escaping @Sendable (Job) async -> Void) {
        self.perform = perform
        (wakeups, wakeup) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Puts a job at the end, and breaks off those before it that it takes the place of.
    ///
    /// - Returns: false where ``Limits/laneDepth`` jobs wait already.
    func enqueue(_ job: Job) -> Bool {
        let isTaken = state.withLock { state in
            guard state.waiting.count < Limits.laneDepth else { return false }
            for index in state.waiting.indices where job.breaksOff(state.waiting[index].job) {
                state.waiting[index].isBrokenOff = true
            }
            if let running = state.running, job.breaksOff(running.job) { running.task.cancel() }
            state.waiting.append(Waiting(job: job))
            return true
        }
        wakeup.yield()
        return isTaken
    }

    /// Works until cancelled.
    func run() async {
        for await _ in wakeups {
            while let task = startNext() {
                await withTaskCancellationHandler {
                    await task.value
                } onCancel: {
                    task.cancel()
                }
                state.withLock { $0.running = nil }
            }
        }
    }

    private func startNext() -> Task<Void, Never>? {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            let next = state.waiting.removeFirst()
            let task = Task { await perform(next.job) }
            if next.isBrokenOff || Task.isCancelled { task.cancel() }
            state.running = (next.job, task)
            return task
        }
    }
}

/// The lanes of all servers, and one for the agent's own work.
final class Lanes: Sendable {
    private let perform: @Sendable (Job) async -> Void
    private let lanes = Mutex<[ServerID?: Lane]>([:])
    private let opened: AsyncStream<Lane>
    private let open: AsyncStream<Lane>.Continuation

    init(perform: @escaping @Sendable (Job) async -> Void) {
        self.perform = perform
        (opened, open) = AsyncStream.makeStream(bufferingPolicy: .unbounded)  // as many as servers that had a command
    }

    func enqueue(_ job: Job, for server: ServerID?) -> Bool {
        let lane = lanes.withLock { lanes in
            if let lane = lanes[server] { return lane }
            let lane = Lane(perform: perform)
            lanes[server] = lane
            open.yield(lane)
            return lane
        }
        return lane.enqueue(job)
    }

    /// Runs every lane until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await lane in opened { group.addTask { await lane.run() } }
        }
    }
}
