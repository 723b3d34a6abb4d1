import FoundationEssentials
import OrcContract
import OrcCore
import OrcPlans

/// How it is found out that a server is ready for players: pure.
struct ReadinessRule: Equatable {
    let way: Way
    /// Seconds after which a server that is not ready is unready; nil where it cannot come to that.
    let timeout: Int?

    enum Way: Equatable {
        /// A line of its log matches.
        case pattern(String)
        /// The container's own health check.
        case health
        /// What PEON's images write into `config/state`.
        case stateFile
        /// It has run for some seconds.
        case settled
    }

    /// Seconds of running that count as ready where nothing else tells.
    static let settling: TimeInterval = 1
    /// Seconds in which one of PEON's images says for the first time how it is.
    static let stateFileDelay: TimeInterval = 10

    /// The plan's pattern goes before the health check, and that before what the image says of itself.
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

    /// Words by which PEON's images say that the game is up (their `server_start` scripts).
    static func isReady(stateFile word: String) -> Bool {
        ["STARTED", "READY", "RUNNING", "ONLINE"].contains(word.uppercased())
    }
}
