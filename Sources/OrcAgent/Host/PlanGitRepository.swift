import FoundationEssentials
import Glibc
import OrcContract
import OrcCore
import OrcFiles
import OrcPlans
import Subprocess

/// The plans folder as a git repository: cloned the first time, merged later, without losing local files.
///
/// Local changes are committed before the merge, and win if both sides changed the same lines.
package struct PlanGitRepository {
    let folder: String
    let url: String

    package init(folder: String, url: String) {
        self.folder = folder
        self.url = url
    }

    /// Returns the reason why nothing can be merged into the folder; nil if merging is possible.
    package func complaint() async -> String? {
        guard DirectoryHandle.exists("\(folder)/.git") else { return nil }
        do {
            // A repository without commits is acceptable.
            if try await !git(["for-each-ref", "--count=1"], in: folder).isEmpty {
                try await git(["rev-parse", "--verify", "--quiet", "HEAD^{tree}"], in: folder)
            }
            try await git(["status", "--porcelain"], in: folder)
            return nil
        } catch {
            return ActionError(error).description
        }
    }

    private static let limit = Duration.seconds(180)

    /// Clones the repository, or fetches and merges it.
    ///
    /// - Returns: true if the plans changed.
    func update() async throws -> Bool {
        if !DirectoryHandle.exists(folder) {
            try await git(["clone", "--quiet", "--", url, folder], in: nil, orElse: .pullFailed)
            try await git(["update-ref", Self.upstream, "HEAD"], in: folder)
            return true
        }
        removeStaleLocks()
        if try DirectoryHandle(path: folder).kind(of: ".git") != .folder {
            try await git(["init", "--quiet"], in: folder)
        }
        try await git(["fetch", "--quiet", "--", url, "HEAD"], in: folder, orElse: .pullFailed)
        let before = try? await git(["rev-parse", "HEAD"], in: folder)  // a new repository has none
        try await git(["add", "--all"], in: folder)
        if try await !git(["status", "--porcelain"], in: folder).isEmpty || before == nil {
            try await git(Self.asOrc + ["commit", "--quiet", "--allow-empty", "-m", "Local plans"], in: folder)
        }
        let theirs = try await commitToMerge()
        do {
            try await git(
                Self.asOrc + [
                    "merge", "--quiet", "--no-edit", "-X", "ours", "-X", "no-renames", "--allow-unrelated-histories",
                    theirs,
                ],
                in: folder)
        } catch {
            do { try await resolveConflicts() } catch _ {
                _ = try? await git(["merge", "--abort"], in: folder)  // the first error is thrown
                throw error
            }
        }
        try await git(["update-ref", Self.upstream, theirs], in: folder)
        return try await git(["rev-parse", "HEAD"], in: folder) != before
    }

    /// The reference to the commit that was fetched and merged last.
    private static let upstream = "refs/orc/upstream"

    /// Returns the commit to merge: the fetched commit, or a new one if the remote history was rewritten.
    ///
    /// The new commit has the same files as the fetched commit. Its parent is the commit that was merged last, so that
    /// git can distinguish remote changes from local ones.
    private func commitToMerge() async throws -> String {
        let fetched = try await object("FETCH_HEAD")
        // Without this reference it is the first update.
        guard let last = try? await object(Self.upstream),
            (try? await git(["merge-base", "--is-ancestor", last, fetched], in: folder)) == nil
        else { return fetched }
        let files = try await object("\(fetched)^{tree}")
        if try await object("\(last)^{tree}") == files { return last }
        let commit = ["commit-tree", files, "-p", last, "-m", "Plans"]
        return String(try await git(Self.asOrc + commit, in: folder).prefix { !$0.isNewline })
    }

    /// Returns the full hash of the object that `name` refers to.
    private func object(_ name: String) async throws -> String {
        String(try await git(["rev-parse", "--verify", "--quiet", name], in: folder).prefix { !$0.isNewline })
    }

    /// Removes git's lock files that are older than a minute and thus belong to no running git process.
    ///
    /// A git process that was killed leaves its lock files behind, and every later git process would fail.
    private func removeStaleLocks() {
        // Without the folder there is no repository yet.
        let heads = (try? DirectoryHandle(path: "\(folder)/.git/refs/heads").entries(limit: 100)) ?? []
        let names =
            ["index", "HEAD", "config", "packed-refs", "shallow"].map { "\($0).lock" }
            + heads.map(\.name).filter { $0.hasSuffix(".lock") }.map { "refs/heads/\($0)" }
        for lock in names.map({ "\(folder)/.git/\($0)" }) {
            var status = stat()
            guard lstat(lock, &status) == 0, time(nil) - status.st_mtim.tv_sec > 60 else { continue }
            unlink(lock)
        }
    }

    /// Completes a merge that stopped at files changed on one side and deleted on the other: the local side wins.
    private func resolveConflicts() async throws {
        let unmerged = try await git(["ls-files", "--unmerged", "-z"], in: folder).split(separator: "\0")
        guard !unmerged.isEmpty else { throw ActionError(.conflict, "no unmerged files") }
        // Each entry: mode, object and stage, then a tab and the path; stage 2 is the local side.
        var isOurs: [Substring: Bool] = [:]
        for line in unmerged {
            let parts = line.split(separator: "\t", maxSplits: 1)
            guard parts.count == 2 else { continue }
            isOurs[parts[1], default: false] = isOurs[parts[1], default: false] || parts[0].hasSuffix(" 2")
        }
        for (path, isOurs) in isOurs {
            if isOurs { try await git(["checkout", "--quiet", "--ours", "--", "\(path)"], in: folder) }
            try await git(isOurs ? ["add", "--", "\(path)"] : ["rm", "--quiet", "--", "\(path)"], in: folder)
        }
        try await git(Self.asOrc + ["commit", "--quiet", "-m", "Newer plans"], in: folder)
    }

    private static let asOrc = ["-c", "user.name=Orc", "-c", "user.email=orc@localhost"]

    /// Runs git without hooks and without prompts.
    ///
    /// `code`: code of the error that is thrown if git fails.
    @discardableResult
    private func git(
        _ arguments: [String], in folder: String?, orElse code: Reply.Code = .internal
    ) async throws -> String {
        let place = folder.map { ["-C", $0] } ?? []
        let all = ["-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"] + place + arguments
        // If the folder's own repository is damaged, git must not use one of a parent folder.
        let ceiling = self.folder.lastIndex(of: "/").map { String(self.folder[..<$0]) } ?? ""
        let environment: [Environment.Key: String?] = [
            "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_CEILING_DIRECTORIES": ceiling,
        ]
        let result = try await Deadline.run(
            Self.limit, orThrow: ActionError(.timeout, "the plans' repository did not answer in time")
        ) {
            try await Subprocess.run(
                .name("git"), arguments: Arguments(all),
                environment: .inherit.updating(environment), input: .none, output: .string(limit: 1 << 20),
                error: .string(limit: 1 << 16))
        }
        guard result.terminationStatus.isSuccess else {
            // The URL may contain a password.
            let said = result.standardError.isEmpty ? result.standardOutput : result.standardError
            let words = said.replacing(url, with: "the plans' repository")
            throw ActionError(code, "git \(arguments.first { !$0.contains("=") && $0 != "-c" } ?? ""): \(words)")
        }
        return result.standardOutput
    }
}
