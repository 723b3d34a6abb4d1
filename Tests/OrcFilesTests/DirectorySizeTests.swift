import Foundation
import Testbed
import Testing

@testable import OrcFiles

@Suite struct DirectorySizeTests {
    private func du(_ folder: URL) async throws -> Int {
        let words = try await output("du", ["-s", "-B1", folder.path()]).split { $0.isWhitespace }
        return try #require(Int(words.first ?? ""))
    }

    @Test func `a folder's size is what du says: sparse files, several names, links, odd names`() async throws {
        try await Testbed.withFolder { root in
            let folder = root.appending(path: "server")
            try await output(
                "python3",
                [
                    "-c",
                    """
                    import os, sys
                    os.makedirs(sys.argv[1] + "/a/b/c"); os.chdir(sys.argv[1])
                    for n in range(500): open(f"a/{n}", "w").write("x" * n * 17)
                    open("a/b/big", "wb").write(os.urandom(3_000_000))
                    open("sparse", "wb").truncate(1 << 30)
                    os.link("a/b/big", "a/b/c/other"); os.link("a/b/big", "third")
                    os.symlink("/usr", "out"); os.symlink("nothing", "dangling"); os.symlink("..", "a/up")
                    open(b"a/\\xff\\n", "w").write("odd"); os.mkfifo("pipe"); os.mkdir("empty")
                    """, folder.path(),
                ])
            var pauses = 0
            let size = try DirectoryHandle(path: folder.path()).size(batch: 100) { pauses += 1 }
            let expected = try await du(folder)
            #expect(size == expected)
            #expect((5...6).contains(pauses))
        }
    }

    @Test func `folders that go deeper than any game's are given up, without a descriptor left open`() async throws {
        try await Testbed.withFolder { root in
            let script = """
                import os, sys
                os.chdir(sys.argv[1])
                for _ in range(int(sys.argv[2])): os.mkdir("d"); os.chdir("d")
                """
            let deep = root.appending(path: "deep")
            try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
            try await output("python3", ["-c", script, deep.path(), "300"])
            let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            #expect(throws: DirectoryHandle.SizeError.tooDeep) { try DirectoryHandle(path: deep.path()).size {} }
            let after = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
            #expect(after <= before)
            let flat = root.appending(path: "flat")
            try FileManager.default.createDirectory(at: flat, withIntermediateDirectories: true)
            try await output("python3", ["-c", script, flat.path(), "200"])
            let expected = try await du(flat)
            #expect(try DirectoryHandle(path: flat.path()).size {} == expected)
        }
    }

    @Test func `a folder that changes under the reader is no failure`() async throws {
        try await Testbed.withFolder { root in
            for index in 0..<50 {
                try "x".write(to: root.appending(path: "f\(index)"), atomically: false, encoding: .utf8)
            }
            let size = try DirectoryHandle(path: root.path()).size(batch: 10) {
                try? FileManager.default.removeItem(at: root.appending(path: "f\(Int.random(in: 0..<50))"))
            }
            #expect(size >= 0)
        }
    }
}
