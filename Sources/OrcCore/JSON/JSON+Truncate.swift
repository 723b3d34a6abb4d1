extension JSON.Object {
    /// A copy whose text has at most `bytes` bytes: the largest members, those of `data` before its own, are cut
    /// first, and `truncated` beside them says so.
    ///
    /// - Returns: nil where even that does not do.
    package func fitting(bytes: Int) -> JSON.Object? {
        var object = self
        while JSON.object(object).bytes.count > bytes {
            guard object.cutLargest(keeping: ["data"]) else { return nil }
        }
        return object
    }

    /// Cuts the largest member, one level down in `keeping` as long as there is anything to be cut in it.
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
    /// What is left of a value that has no room; nil where nothing would be gained.
    fileprivate var cut: JSON? {
        switch self {
        case .null, .bool, .number: nil
        case .string(let text): text.utf8.count > 64 ? .string(String(text.prefix(16)) + "…") : nil
        // Of a list the end is kept: of lines it is what came last.
        case .array(let elements): elements.isEmpty ? nil : .array(Array(elements.suffix(elements.count / 2)))
        case .object(let object): object.members.isEmpty ? nil : .object([:])
        }
    }
}
