/// What a caller may do; each role may also do what the ones before it may.
package enum Role: String, Sendable, CaseIterable, Comparable {
    case viewer, `operator`, admin

    package static func < (left: Role, right: Role) -> Bool {
        switch (left, right) {
        case (.viewer, .operator), (.viewer, .admin), (.operator, .admin): true
        default: false
        }
    }
}
