import Synchronization

/// A value that is read again once it is older than it may be.
final class ReadAgain<Value: Sendable>: Sendable {
    private let age: Duration
    private let state: Mutex<(value: Value, at: ContinuousClock.Instant?)>

    /// `first`: what `read` is told of, the first time.
    init(_ first: Value, after age: Duration) {
        self.age = age
        state = Mutex((first, nil))
    }

    /// `read`: makes the new value of the last.
    func value(or read: (Value) -> Value) -> Value {
        state.withLock { state in
            let now = ContinuousClock.now
            if let at = state.at, now - at < age { return state.value }
            state = (read(state.value), now)
            return state.value
        }
    }
}
