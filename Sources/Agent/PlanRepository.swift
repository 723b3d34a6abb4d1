import FoundationEssentials
import Peon
import Plans
import Subprocess

/// The plans folder as a git repository: cloned the first time, merged later, local files never lost.
///
/// What stands there and differs is committed before the merge, and wins where both sides changed the same lines.
struct PlanRepository {
    let folder: String
    let url: String

    private static let limit = Duration.seconds(180)

    /// - Returns: whether anything came.
    func update() async throws -> Bool {
        if !Folder.exists(folder) {
            try await git(["clone", "--quiet", "--", url, folder], in: nil, orElse: .pullFailed)
            return true
        }
        if try Folder(path: folder).kind(of: ".git") != .folder { try await git(["init", "--quiet"], in: folder) }
        try await git(["fetch", "--quiet", "--", url, "HEAD"], in: folder, orElse: .pullFailed)
        let before = try? await git(["rev-parse", "HEAD"], in: folder)  // a new repository has none
        try await git(["add", "--all"], in: folder)
        if try await !git(["status", "--porcelain"], in: folder).isEmpty || before == nil {
            try await git(Self.asOrc + ["commit", "--quiet", "--allow-empty", "-m", "Local plans"], in: folder)
        }
        do {
            try await git(
                Self.asOrc + [
                    "merge", "--quiet", "--no-edit", "-X", "ours", "--allow-unrelated-histories", "FETCH_HEAD",
                ],
                in: folder)
        } catch {
            _ = try? await git(["merge", "--abort"], in: folder)  // the first error is the one to tell
            throw error
        }
        return try await git(["rev-parse", "HEAD"], in: folder) != before
    }

    private static let asOrc = ["-c", "user.name=Orc", "-c", "user.email=orc@localhost"]

    /// Runs git without hooks and without asking anybody anything.
    @discardableResult
    private func git(
        _ arguments: [String], in folder: String?, orElse code: Reply.Code = .internal
    ) async throws -> String {
        let place = folder.map { ["-C", $0] } ?? []
        let all = ["-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"] + place + arguments
        let environment: [Environment.Key: String?] = ["GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"]
        let result = try await withDeadline(Self.limit) {
            try await Subprocess.run(
                .name("git"), arguments: Arguments(all),
                environment: .inherit.updating(environment), input: .none, output: .string(limit: 1 << 20),
                error: .string(limit: 1 << 16))
        }
        guard result.terminationStatus.isSuccess else {
            // The address may hold a password.
            let words = result.standardError.replacing(url, with: "the plans' repository")
            throw ActionError(code, "git \(arguments.first { !$0.contains("=") && $0 != "-c" } ?? ""): \(words)")
        }
        return result.standardOutput
    }

    private func withDeadline<Result: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw ActionError(.timeout, "the plans' repository did not answer in time")
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}
