import NIOCore

extension Channel {
    /// Closes the channel after a while, unless what is returned is cancelled.
    func close(after time: TimeAmount) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: time) { self.close(promise: nil) }
    }
}
