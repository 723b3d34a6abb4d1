import OrcContract
import OrcCore

/// The result of a successful action.
struct ActionOutcome {
    /// True if the action changed anything; nil if it never changes anything.
    var changed: Bool?
    var data: JSON = .null

    /// Returns the first items that fit in one reply, and true if there may be more.
    ///
    /// At least one item is returned if there is any.
    ///
    /// `limit`: number of items that were requested.
    static func page(_ items: [JSON], limit: Int) -> (page: [JSON], more: Bool) {
        var size = 0
        let end = items.firstIndex { item in
            defer { size += item.text().utf8.count }
            return size > maxPageBytes
        }
        let page = Array(items[..<max(end ?? items.count, min(items.count, 1))])
        return (page, page.count < items.count || items.count == limit)
    }

    /// Maximum bytes of one page, small enough for bridges and brokers with low packet limits.
    private static let maxPageBytes = 128 << 10
}

extension ServerID {
    /// Returns the server that the arguments name, to which a query is limited; nil if they name no server.
    ///
    /// The named server may no longer exist.
    static func named(in arguments: JSON.Object) throws(ActionError) -> ServerID? {
        guard let name = arguments["server"]?.string else { return nil }
        guard let server = ServerID(name) else {
            throw ActionError(.unknownServer, "there is no server \(name.prefix(bytes: 64).printable)")
        }
        return server
    }
}
