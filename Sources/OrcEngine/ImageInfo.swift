/// An image that is on the engine's host.
package struct ImageInfo: Sendable {
    package let id: String
    /// True if the image is one of PEON's.
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
    /// Bytes of the layer that have been processed.
    package let current: Int?
    /// Size of the layer in bytes.
    package let total: Int?

    package init(layer: String?, status: String?, current: Int?, total: Int?) {
        self.layer = layer
        self.status = status
        self.current = current
        self.total = total
    }
}
