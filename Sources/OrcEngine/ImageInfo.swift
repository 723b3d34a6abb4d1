/// An image that is on the engine's host.
package struct ImageInfo: Sendable {
    package let id: String
    /// True if it is one of PEON's.
    package let isPeons: Bool

    package init(id: String, isPeons: Bool) {
        self.id = id
        self.isPeons = isPeons
    }
}

/// The progress of one layer of a pull.
package struct PullProgress: Sendable {
    package let layer: String?
    package let status: String?
    /// Bytes done.
    package let current: Int?
    /// Bytes in total.
    package let total: Int?

    package init(layer: String?, status: String?, current: Int?, total: Int?) {
        self.layer = layer
        self.status = status
        self.current = current
        self.total = total
    }
}
