import Dispatch
import Synchronization

/// A sleep that ends when its time is over, when it is rung, or when its task is cancelled.
///
/// It leaves nothing behind: a `Task.sleep` that is cancelled keeps three kilobytes until its time would have been over.
package final class AsyncSignal: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isRung = false
        var sleeper: CheckedContinuation<Void, Never>?
        var timer: (any DispatchSourceTimer)?
    }

    package init() {}

    /// By the monotonic clock; without a limit where `duration` is nil.
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

    /// Whoever waits waits no longer; where nobody does, the next one will not.
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
