extension JSON.Object {
    /// Shortens the object so that its text has at most `bytes` bytes.
    ///
    /// The largest members are cut first, those of `data` before the object's own; `truncated` is set next to a cut
    /// member.
    ///
    /// - Returns: nil if the text is too long even with everything cut.
    package func fitting(bytes: Int) -> JSON.Object? {
        var object = self
        while JSON.object(object).bytes.count > bytes {
            guard object.cutLargest(keeping: ["data"]) else { return nil }
        }
        return object
    }

    /// Cuts the largest member; in a member named in `keeping` the largest inner one, until nothing there can be cut.
    private mutating func cutLargest(keeping: Set<String>) -> Bool {
        for name in keeping {
            if case .object(var inner)? = self[name], inner.cutLargest(keeping: []) {
                self[name] = .object(inner)
                return true
            }
        }
        let sizes = members.map { (name: $0.key, size: $0.value.cut == nil ? 0 : $0.value.bytes.count) }
        guard let largest = sizes.max(by: { $0.size < $1.size }), largest.size > 0 else { return false }
        self[largest.name] = self[largest.name]?.cut
        self["truncated"] = true
        return true
    }
}

extension JSON {
    /// The value, shortened; nil if that would save nothing.
    fileprivate var cut: JSON? {
        switch self {
        case .null, .bool, .number: nil
        case .string(let text): text.utf8.count > 64 ? .string(String(text.prefix(16)) + "…") : nil
        // The end of a list is kept: of lines, these are the newest.
        case .array(let elements): elements.isEmpty ? nil : .array(Array(elements.suffix(elements.count / 2)))
        case .object(let object): object.members.isEmpty ? nil : .object([:])
        }
    }
}
