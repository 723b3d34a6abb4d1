import Foundation
import Subprocess
import Testbed

/// Asks a game server over UDP, as a server browser does; tries until it answers.
enum GameQuery {
    private static let script = """
        import os, socket, sys, time
        game, port = sys.argv[1], int(sys.argv[2])
        def ask():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.5); s.connect(("127.0.0.1", port))
            if game == "quake":
                s.send(b"\\xff\\xff\\xff\\xffgetstatus\\n"); return s.recv(65536)
            mine = b"\\x01\\x02\\x03\\x04"
            s.send(b"\\x04\\0\\0\\xff\\xff\\xff\\xff\\x05" + mine + bytes(508))
            theirs = s.recv(2048)[8:12]
            s.send(b"\\x21" + theirs + mine + b"\\xff\\xff\\xff\\xffgie3\\x01")
            return s.recv(2048)
        for _ in range(40):
            try: sys.stdout.write(ask().decode("utf-8", "replace")); sys.exit(0)
            except OSError: time.sleep(0.25)
        sys.exit("no answer")
        """

    static func teeworlds(port: Int) async throws -> String { try await ask("teeworlds", port) }
    static func quake(port: Int) async throws -> String { try await ask("quake", port) }

    private static func ask(_ game: String, _ port: Int) async throws -> String {
        try await Tool.output("python3", ["-c", script, game, "\(port)"])
    }
}

/// Runs a program and gives back what it prints.
enum Tool {
    static func output(_ program: String, _ arguments: [String]) async throws -> String {
        let result = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else { throw Overdue("\(program): \(result.standardError)") }
        return result.standardOutput + result.standardError
    }
}

extension OrcProcess {
    /// The topics that a newcomer finds retained.
    func retainedTopics() async throws -> [String] {
        let listing = try await retainedLines(port: broker.port, format: "%t")
        return listing.split(separator: "\n").map(String.init)
    }
}
