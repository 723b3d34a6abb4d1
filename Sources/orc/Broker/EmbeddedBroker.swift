import Logging
import OrcMQTT
import ServiceLifecycle
import Subprocess
import SystemPackage

/// A mosquitto broker that runs as a child process, for hosts without a broker of their own.
struct EmbeddedBroker: Service {
    let files: BrokerFiles
    let logger: Logger

    /// Keeps the broker running; the broker exits when this process exits or is killed.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var backoff = Backoff(first: 0.2, most: 10)
            while !Task.isCancelled {
                let begun = ContinuousClock.now
                do { try await runOnce() } catch {
                    if Task.isCancelled { return }
                    logger.error("the embedded broker cannot be started", metadata: ["error": "\(error)"])
                }
                if Task.isCancelled { return }
                if ContinuousClock.now - begun > .seconds(30) { backoff.reset() }
                logger.warning("the embedded broker exited and is restarted", metadata: ["log": "\(files.log)"])
                do { try await Task.sleep(for: .seconds(backoff.next())) } catch { return }
            }
        }
    }

    /// A shell script that ends the broker when the script's standard input closes, which happens whenever this process
    /// exits.
    private static let guardian = """
        exec 3<&0
        PATH="$PATH:/usr/sbin:/usr/local/sbin"
        mosquitto -c "$1" </dev/null 3<&- >>"$2" 2>&1 &
        broker=$!
        { cat <&3 >/dev/null; kill "$broker"; } >/dev/null 2>&1 &
        watcher=$!
        exec 3<&-
        trap 'kill "$broker"; wait "$broker"' TERM
        wait "$broker"
        kill "$watcher" 2>/dev/null
        """

    private func runOnce() async throws {
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))]
        _ = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", Self.guardian, "orc-broker", files.configuration, files.log],
            platformOptions: options, input: .inputWriter, output: .sequence, error: .discarded
        ) { execution in
            // The output is empty; it closes when the shell exits, which waits for the broker.
            for try await _ in execution.standardOutput {}
        }
    }
}
