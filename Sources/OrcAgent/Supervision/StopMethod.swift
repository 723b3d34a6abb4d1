import OrcContract
import OrcCore
import OrcEngine
import OrcPlans

/// The way in which a server is asked to stop, and its grace period.
struct StopMethod: Equatable {
    let way: Way
    /// Seconds from the request until the server is killed.
    let grace: Int

    enum Way: Equatable {
        /// The engine's own stop: the image's stop signal, TERM by default, to the first process.
        case engine
        case signal(StopSignal)
        /// A signal to all processes in the container except the first.
        case signalAll(StopSignal)
        /// A line on the first process's standard input.
        case command(String)
    }

    /// The properties of a container that determine how it can be stopped.
    struct Traits: Equatable {
        let isPeons: Bool
        /// True if the container's standard input is open, which a console command needs.
        let hasConsole: Bool

        init(isPeons: Bool, hasConsole: Bool) {
            self.isPeons = isPeons
            self.hasConsole = hasConsole
        }

        init(_ container: Container) {
            self.init(isPeons: container.isPeons, hasConsole: container.hasConsole)
        }
    }

    /// Chooses the method: the command's arguments have priority, then the plan's options, then the image's default.
    ///
    /// PEON's images run bash as their first process, which ignores TERM: a plain stop would kill the game after the
    /// grace period, and unsaved changes would be lost.
    init(_ arguments: JSON.Object, options: PlanOptions.StopOptions, image: Traits, defaultGrace: Int) {
        grace = arguments["grace"]?.int ?? options.grace ?? defaultGrace
        let given = Self.way(
            command: arguments["command"]?.string, signal: arguments["signal"]?.string.flatMap(StopSignal.init),
            all: arguments["all"]?.flag, hasConsole: image.hasConsole)
        let planned = Self.way(
            command: options.command, signal: options.signal, all: options.signalsAll, hasConsole: image.hasConsole)
        way = given ?? planned ?? (image.isPeons ? .signalAll(.int) : .engine)
    }

    private static func way(command: String?, signal: StopSignal?, all: Bool?, hasConsole: Bool) -> Way? {
        if let command, hasConsole { return .command(command) }
        if all == true { return .signalAll(signal ?? .int) }
        return signal.map(Way.signal)
    }
}
