import Synchronization

/// A sleep that ends when its time is over, or when it is rung.
final class Alarm: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isRung = false
        var sleep: Task<Void, Never>?
    }

    /// By the monotonic clock; without a limit where `duration` is nil.
    ///
    /// Ends on cancellation too.
    func wait(_ duration: Duration?) async {
        let sleep = state.withLock { state -> Task<Void, Never>? in
            defer { state.isRung = false }
            guard !state.isRung else { return nil }
            let sleep = Task {
                // Cancelled: it is rung, or the end.
                _ = try? await Task.sleep(for: duration ?? .seconds(3600 * 24 * 365), tolerance: .zero)
            }
            state.sleep = sleep
            return sleep
        }
        guard let sleep else { return }
        await withTaskCancellationHandler {
            await sleep.value
        } onCancel: {
            sleep.cancel()
        }
        state.withLock { state in
            state.sleep = nil
            state.isRung = false
        }
    }

    func ring() {
        state.withLock { state in
            state.isRung = true
            state.sleep?.cancel()
        }
    }
}
