import FoundationEssentials
import OrcContract
import OrcCore
import OrcPlans

/// The criterion by which a server counts as ready for players.
struct ReadinessRule: Equatable {
    let way: Way
    /// Seconds after which a server that has not become ready is reported as unready; nil for no time limit.
    let timeout: Int?

    enum Way: Equatable {
        /// A line of the log matches this pattern.
        case pattern(String)
        /// The container's own health check.
        case health
        /// The status word that PEON's images write into `config/state`.
        case stateFile
        /// The server has run for ``settling`` seconds.
        case settled
    }

    /// Seconds of running after which a server is ready if there is no other criterion.
    static let settling: TimeInterval = 1
    /// Seconds within which PEON's images write their state file for the first time.
    static let stateFileDelay: TimeInterval = 10

    /// Chooses the criterion: the plan's pattern first, then the health check, then the state file of PEON's images.
    init(_ options: PlanOptions.Ready, hasHealthCheck: Bool, isPeons: Bool) {
        if let pattern = options.pattern {
            way = .pattern(pattern)
            timeout = options.timeout ?? 600
        } else if hasHealthCheck {
            way = .health
            timeout = options.timeout ?? 600
        } else if isPeons {
            way = .stateFile
            timeout = options.timeout ?? 3600  // the first start downloads the game
        } else {
            way = .settled
            timeout = nil
        }
    }

    /// True for the words with which PEON's images report that the game is up (their `server_start` scripts).
    static func isReady(stateFile word: String) -> Bool {
        ["STARTED", "READY", "RUNNING", "ONLINE"].contains(word.uppercased())
    }
}
