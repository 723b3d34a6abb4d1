import Foundation
import NIOCore
import OrcCore
import Testing

@testable import OrcDocker

@Suite struct LogTests {
    private func frame(_ text: String, output: UInt8 = 1) -> [UInt8] {
        let bytes = Array(text.utf8)
        let count = UInt32(bytes.count)
        return [output, 0, 0, 0] + withUnsafeBytes(of: count.bigEndian) { Array($0) } + bytes
    }

    private func read(_ bytes: [UInt8], by size: Int) -> String {
        var reader = LogFrameDecoder()
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            reader.read(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])) { text += $0 }
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test(arguments: [1, 3, 7, 8, 9, 1000])
    func `frames are taken off however they come in`(size: Int) {
        let bytes = frame("one\n") + frame("oops\n", output: 2) + frame("") + frame("two\n")
        #expect(read(bytes, by: size) == "one\noops\ntwo\n")
    }

    @Test(arguments: [1, 5, 1000])
    func `a terminal's output has no frames`(size: Int) {
        #expect(read(Array("plain text, no frames\r\n".utf8), by: size) == "plain text, no frames\r\n")
    }

    @Test func `lines are cut at their ends, long ones at their bound, and the rest waits`() {
        var cutter = LineSplitter()
        #expect(cutter.lines(in: Array("one\r\ntw".utf8)[...]) == ["one"])
        #expect(cutter.lines(in: Array("o".utf8)[...], withRest: true) == ["two"])
        #expect(cutter.lines(in: Array("\n\n".utf8)[...]) == ["two", ""])
        let long = [UInt8](repeating: 0x78, count: 10 << 20)
        #expect(cutter.lines(in: long[...]) == [])
        let cut = cutter.lines(in: [0x0A])[0]
        #expect(cut.utf8.count < LineSplitter.longest + 10 && cut.hasSuffix("[…]"))
        #expect(cutter.rest == nil)
    }

    @Test func `lines with their time go on after the last one that was read, of either engine`() throws {
        func feed(_ reader: inout TimestampedLines, _ text: String) -> [String] {
            reader.lines(in: Array(text.utf8)[...])
        }
        var first = TimestampedLines(after: Date(timeIntervalSince1970: 1_767_225_600))
        #expect(
            feed(&first, "2026-01-01T00:00:00.000000000Z old\n2026-01-01T00:00:00.500000000Z a b\n2026-01-") == ["a b"])
        #expect(feed(&first, "01T00:00:00.750000000Z \n") == [""])
        #expect(abs(first.last.timeIntervalSince1970 - 1_767_225_600.75) < 0.000_01)
        // Another stream begins with what was read before.
        var second = TimestampedLines(after: first.last)
        let again = "2026-01-01T00:00:00.500000000Z a b\n2026-01-01T00:00:00.750000000Z \n"
        #expect(feed(&second, again + "2026-01-01T00:00:01Z c\n2026-01-01T00:00:00Z back\n") == ["c", "back"])
        // Podman writes an offset; what has no time is told as it is.
        var third = TimestampedLines(after: first.last)
        #expect(feed(&third, "none\n2026-01-01T02:00:02.5+02:00 d\nno time\n") == ["none", "d", "no time"])
        #expect(abs(third.last.timeIntervalSince1970 - 1_767_225_602.5) < 0.000_01)
    }

    @Test(arguments: 0..<4) func `a long line ends with a whole character`(shift: Int) {
        var cutter = LineSplitter()
        let text = String(repeating: "x", count: shift) + String(repeating: "€𝄞é", count: 2000)
        let cut = cutter.lines(in: Array("\(text)\n".utf8)[...])[0]
        #expect(cut.hasSuffix(" […]") && !cut.contains("\u{FFFD}"))
        #expect(text.hasPrefix(cut.dropLast(4)) && cut.utf8.count > LineSplitter.longest - 4)
    }
}
