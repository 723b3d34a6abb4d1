/// What a caller may do; each role may also do what the ones before it may.
package enum Role: String, Sendable, CaseIterable, Comparable {
    case viewer, `operator`, admin

    package static func < (left: Role, right: Role) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .operator: 1
        case .admin: 2
        }
    }
}
