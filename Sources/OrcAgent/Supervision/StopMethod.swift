import OrcContract
import OrcCore
import OrcEngine
import OrcPlans

/// How one server is asked to stop, and how long it gets: pure.
struct StopMethod: Equatable {
    let way: Way
    /// Seconds before it is killed.
    let grace: Int

    enum Way: Equatable {
        /// The engine's own stop: the image's stop signal, TERM by default, to the first process.
        case engine
        case signal(StopSignal)
        /// To every process in the container but the first.
        case signalAll(StopSignal)
        /// A line on the first process's standard input.
        case command(String)
    }

    /// What of a container decides how it can be asked.
    struct Traits: Equatable {
        let isPeons: Bool
        /// Whether its standard input is open; a console command would go nowhere else.
        let hasConsole: Bool

        init(isPeons: Bool, hasConsole: Bool) {
            self.isPeons = isPeons
            self.hasConsole = hasConsole
        }

        init(_ container: Container) {
            self.init(isPeons: container.isPeons, hasConsole: container.hasConsole)
        }
    }

    /// What the command says goes before what the plan says, and that before what suits the image.
    ///
    /// PEON's images run bash as their first process, which ignores TERM: a plain stop would kill the game after the
    /// grace, and what it had not saved with it.
    init(_ arguments: JSON.Object, options: PlanOptions.StopOptions?, image: Traits, defaultGrace: Int) {
        grace = arguments["grace"]?.int ?? options?.grace ?? defaultGrace
        let given = Self.way(
            command: arguments["command"]?.string, signal: arguments["signal"]?.string.flatMap(StopSignal.init),
            all: arguments["all"]?.flag, hasConsole: image.hasConsole)
        let planned = Self.way(
            command: options?.command, signal: options?.signal, all: options?.signalsAll, hasConsole: image.hasConsole)
        way = given ?? planned ?? (image.isPeons ? .signalAll(.int) : .engine)
    }

    private static func way(command: String?, signal: StopSignal?, all: Bool?, hasConsole: Bool) -> Way? {
        if let command, hasConsole { return .command(command) }
        if all == true { return .signalAll(signal ?? .int) }
        return signal.map(Way.signal)
    }
}
