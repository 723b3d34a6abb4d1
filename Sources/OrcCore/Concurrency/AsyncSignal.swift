import Dispatch
import Synchronization

/// A sleep that ends when its time is over, when ``ring()`` is called, or when its task is cancelled.
///
/// Unlike a cancelled `Task.sleep`, which keeps three kilobytes until its original end, it holds no memory afterwards.
package final class AsyncSignal: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isRung = false
        var sleeper: CheckedContinuation<Void, Never>?
        var timer: (any DispatchSourceTimer)?
    }

    package init() {}

    /// Waits for `duration` by the monotonic clock, or without a time limit if `duration` is nil.
    package func wait(_ duration: Duration?) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { sleeper in
                state.withLock { state in
                    guard !state.isRung else { return sleeper.resume() }
                    state.sleeper = sleeper
                    state.timer = duration.map { timer($0) }
                }
            }
        } onCancel: {
            ring()
        }
        state.withLock { state in
            state.timer?.cancel()
            state.timer = nil
            state.isRung = false
        }
    }

    /// Ends the current wait; if no task is waiting, the next wait ends at once.
    package func ring() {
        state.withLock { state in
            state.isRung = true
            state.sleeper?.resume()
            state.sleeper = nil
        }
    }

    private func timer(_ duration: Duration) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource()
        timer.schedule(deadline: .now() + duration / .seconds(1), leeway: .nanoseconds(0))
        timer.setEventHandler { [weak self] in self?.ring() }
        timer.activate()
        return timer
    }
}
