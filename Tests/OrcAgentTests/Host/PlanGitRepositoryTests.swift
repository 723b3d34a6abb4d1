import Foundation
import Subprocess
import Testbed
import Testing

@testable import OrcAgent
@testable import OrcMetrics

/// The plans' repository, with a real git on a repository of the test's own.
@Suite struct PlanGitRepositoryTests {
    private func git(_ arguments: [String], in folder: URL) async throws {
        let result = try await Subprocess.run(
            .name("git"),
            arguments: Arguments(["-C", folder.path(), "-c", "user.name=t", "-c", "user.email=t@t"] + arguments),
            output: .discarded, error: .string(limit: 4096))
        if !result.terminationStatus.isSuccess { throw Overdue("git \(arguments): \(result.standardError)") }
    }

    private func write(_ text: String, _ path: String, in folder: URL) throws {
        let url = folder.appending(path: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: true, encoding: .utf8)
    }

    private func read(_ path: String, in folder: URL) -> String? {
        try? String(contentsOf: folder.appending(path: path), encoding: .utf8)
    }

    private func withUpstream(_ body: (URL, URL, PlanGitRepository) async throws -> Void) async throws {
        try await Testbed.withFolder { root in
            let upstream = root.appending(path: "upstream")
            try write("[1]", "plans.json", in: upstream)
            try write("one\ntwo\nthree\n", "a/plan.json", in: upstream)
            try await git(["init", "-q"], in: upstream)
            try await git(["add", "-A"], in: upstream)
            try await git(["commit", "-qm", "first"], in: upstream)
            let plans = root.appending(path: "plans")
            try await body(upstream, plans, PlanGitRepository(folder: plans.path(), url: upstream.path()))
        }
    }

    private func change(_ upstream: URL) async throws {
        try write("[2]", "plans.json", in: upstream)
        try write("ONE\ntwo\nthree\n", "a/plan.json", in: upstream)
        try write("new", "b/plan.json", in: upstream)
        try await git(["add", "-A"], in: upstream)
        try await git(["commit", "-qm", "second"], in: upstream)
    }

    @Test func `the first call clones, a later one brings what is new, and one without news says so`() async throws {
        try await withUpstream { upstream, plans, repository in
            #expect(try await repository.update())
            #expect(read("plans.json", in: plans) == "[1]")
            #expect(try await repository.update() == false)
            try await change(upstream)
            #expect(try await repository.update())
            #expect(read("plans.json", in: plans) == "[2]" && read("b/plan.json", in: plans) == "new")
        }
    }

    @Test func `a repository that is damaged is told of, and none around it is taken in its place`() async throws {
        try await withUpstream { upstream, plans, repository in
            #expect(await repository.complaint() == nil)
            _ = try await repository.update()
            #expect(await repository.complaint() == nil)
            let around = plans.deletingLastPathComponent()
            try await git(["init", "-q"], in: around)
            try await git(["commit", "-q", "--allow-empty", "-m", "around"], in: around)
            let objects = plans.appending(path: ".git/objects")
            try FileManager.default.removeItem(at: objects)
            try FileManager.default.createDirectory(at: objects, withIntermediateDirectories: true)
            #expect(await repository.complaint()?.contains("git") == true)
            try FileManager.default.removeItem(at: plans.appending(path: ".git/HEAD"))
            #expect(await repository.complaint()?.contains("not a git repository") == true)
            await #expect(throws: ActionError.self) { try await repository.update() }
            try await git(["diff", "--exit-code", "HEAD"], in: around)
        }
    }

    @Test func `a history that was written anew brings what changed in it, and nothing that was changed here`()
        async throws
    {
        try await withUpstream { upstream, plans, repository in
            try await change(upstream)
            _ = try await repository.update()
            try write("MINE\n", "a/plan.json", in: plans)
            for text in ["[3]", "[4]"] {
                try await git(["checkout", "-q", "--orphan", "new\(text.dropFirst().first!)"], in: upstream)
                try write(text, "plans.json", in: upstream)
                try write("newer \(text)", "b/plan.json", in: upstream)
                try write("THEIRS \(text)\n", "a/plan.json", in: upstream)
                try await git(["add", "-A"], in: upstream)
                try await git(["commit", "-qm", "anew"], in: upstream)
                #expect(try await repository.update())
                #expect(read("plans.json", in: plans) == text && read("b/plan.json", in: plans) == "newer \(text)")
                #expect(read("a/plan.json", in: plans) == "MINE\n")
            }
            // And on from there.
            try write("[5]", "plans.json", in: upstream)
            try await git(["commit", "-qam", "on"], in: upstream)
            #expect(try await repository.update() && read("plans.json", in: plans) == "[5]")
            #expect(try await repository.update() == false)
        }
    }

    @Test func `what one side changed and the other took away stays as it is here`() async throws {
        try await withUpstream { upstream, plans, repository in
            try await change(upstream)
            _ = try await repository.update()
            try write("MINE\n", "a/plan.json", in: plans)
            try FileManager.default.removeItem(at: plans.appending(path: "b"))
            try await git(["rm", "-qr", "a"], in: upstream)
            try write("newer", "b/plan.json", in: upstream)
            try write("c", "c/plan.json", in: upstream)
            try await git(["add", "-A"], in: upstream)
            try await git(["commit", "-qm", "third"], in: upstream)
            #expect(try await repository.update())
            #expect(read("a/plan.json", in: plans) == "MINE\n" && read("c/plan.json", in: plans) == "c")
            #expect(read("b/plan.json", in: plans) == nil)
            try write("d", "d/plan.json", in: upstream)
            try await git(["add", "-A"], in: upstream)
            try await git(["commit", "-qm", "fourth"], in: upstream)
            #expect(try await repository.update())
            #expect(read("d/plan.json", in: plans) == "d" && read("a/plan.json", in: plans) == "MINE\n")
        }
    }

    @Test func `local edits and local files stay, also where both sides changed a line`() async throws {
        try await withUpstream { upstream, plans, repository in
            _ = try await repository.update()
            try write("MINE\ntwo\nthree\n", "a/plan.json", in: plans)
            try write("own", "own/plan.json", in: plans)
            try write("mine too", "b/plan.json", in: plans)
            try await change(upstream)
            _ = try await repository.update()
            #expect(read("a/plan.json", in: plans) == "MINE\ntwo\nthree\n")
            #expect(read("own/plan.json", in: plans) == "own" && read("b/plan.json", in: plans) == "mine too")
            #expect(read("plans.json", in: plans) == "[2]")
        }
    }

    @Test func `a folder that was filled by hand keeps its files`() async throws {
        try await withUpstream { _, plans, repository in
            try write("mine", "a/plan.json", in: plans)
            try write("own", "own/plan.json", in: plans)
            #expect(try await repository.update())
            #expect(read("a/plan.json", in: plans) == "mine" && read("own/plan.json", in: plans) == "own")
            #expect(read("plans.json", in: plans) == "[1]")
        }
    }

    @Test func `a repository that cannot be reached leaves all as it was`() async throws {
        try await withUpstream { upstream, plans, repository in
            _ = try await repository.update()
            try FileManager.default.removeItem(at: upstream)
            await #expect(throws: ActionError.self) { try await repository.update() }
            #expect(read("plans.json", in: plans) == "[1]")
        }
    }
}
