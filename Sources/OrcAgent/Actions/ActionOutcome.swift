import OrcContract
import OrcCore

/// What an action answers when it went well.
struct ActionOutcome {
    /// Nil if the action changes nothing by its nature.
    var changed: Bool?
    var data: JSON = .null

    /// As many of the first as a reply has room for, the first in any case; and whether there may be more.
    ///
    /// `limit`: how many were looked for.
    static func page(_ items: [JSON], limit: Int) -> (page: [JSON], more: Bool) {
        var size = 0
        let end = items.firstIndex { item in
            defer { size += item.text().utf8.count }
            return size > mostPageBytes
        }
        let page = Array(items[..<max(end ?? items.count, min(items.count, 1))])
        return (page, page.count < items.count || items.count == limit)
    }

    /// Bytes of one page of an answer: it must come through bridges and brokers that take little.
    private static let mostPageBytes = 128 << 10
}

extension ServerID {
    /// The server whose entries alone are asked for, which need not be there any more; nil if none is named.
    static func named(in arguments: JSON.Object) throws(ActionError) -> ServerID? {
        guard let name = arguments["server"]?.string else { return nil }
        guard let server = ServerID(name) else {
            throw ActionError(.unknownServer, "there is no server \(name.prefix(bytes: 64).printable)")
        }
        return server
    }
}
