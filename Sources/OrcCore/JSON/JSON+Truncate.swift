extension JSON.Object {
    /// Returns the object shortened so that its text has at most `bytes` bytes.
    ///
    /// The largest members are cut first: those inside the member `data`, then those of the object itself. An object in
    /// which a member was cut gets the member `truncated` with the value true.
    ///
    /// - Returns: nil if the text is too long even after everything has been cut.
    package func fitting(bytes: Int) -> JSON.Object? {
        var object = self
        while JSON.object(object).bytes.count > bytes {
            guard object.cutLargest(keeping: ["data"]) else { return nil }
        }
        return object
    }

    /// Cuts the largest member, and returns false if nothing could be cut.
    ///
    /// In the members named in `keeping`, inner members are cut first, until nothing inside can be cut.
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
    /// A shortened copy of the value; nil if shortening would save nothing.
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
