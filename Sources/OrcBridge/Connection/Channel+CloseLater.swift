import NIOCore

extension Channel {
    /// Closes the channel after a delay, unless the returned task is cancelled.
    func close(after time: TimeAmount) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: time) { self.close(promise: nil) }
    }
}
