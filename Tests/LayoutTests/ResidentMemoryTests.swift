import Foundation
import Testing

@testable import orc

@Suite struct ResidentMemoryTests {
    @Test func `only code that is in files is given back`() {
        let text = """
            1000-2000 r-xp 00000000 fe:00 1234                       /usr/bin/orc
            2000-3000 r--p 00000000 fe:00 1234                       /usr/bin/orc
            3000-4000 rw-p 00000000 fe:00 1234                       /usr/bin/orc
            4000-5000 r-xp 00000000 fe:00 1235                       /usr/lib/libc.so.6
            5000-6000 r-xp 00000000 00:00 0                          [vdso]
            6000-7000 r-xp 00000000 00:00 0
            7000-8000 r-xs 00000000 fe:00 1236                       /a/file
            8000-9000 rwxp 00000000 fe:00 1236                       /a/file
            9000-a000 r-xp 00000000 fe:00 1236                       /usr/bin/orc (deleted)
            c000-b000 r-xp 00000000 fe:00 1236                       /usr/bin/orc
            """
        #expect(MemoryTrimmer.code(in: text) == [0x1000..<0x2000, 0x4000..<0x5000, 0x9000..<0xa000])
        #expect(MemoryTrimmer.code(in: "") == [])
    }

    @Test func `the program goes on without what it gave back`() throws {
        func resident() throws -> Int {
            let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try #require(Int(words[1]))
        }
        let maps = try String(contentsOfFile: "/proc/self/maps", encoding: .utf8)
        let before = try resident()
        MemoryTrimmer.giveBack(MemoryTrimmer.code(in: maps))
        #expect(try resident() < before)
        #expect(try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).count > 100)
    }
}
