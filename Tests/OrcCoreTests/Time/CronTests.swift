import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

@Suite struct CronTests {
    private static func zone(_ name: String) throws -> TimeZoneRules {
        let file = try Data(contentsOf: URL(filePath: "/usr/share/zoneinfo/\(name)"))
        return try TimeZoneRules(name: name, file: Array(file))
    }

    private func next(_ line: String, _ zone: String, after text: String, count: Int) throws -> [String] {
        let rules = try Self.zone(zone)
        let cron = try Cron(line)
        var instant = Int(try #require(Timestamp.date(text)).timeIntervalSince1970)
        var found: [String] = []
        while found.count < count, let due = cron.next(after: instant, in: rules) {
            found.append(
                Timestamp.text(Date(timeIntervalSince1970: Double(due)), offset: rules.offset(at: due)))
            instant = due
        }
        return found
    }

    @Test(arguments: [
        ("", "five fields"), ("* * * *", "five fields"), ("* * * * * *", "five fields"), ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"), ("* * 0 * *", "day of the month"), ("* * * 13 *", "month"),
        ("* * * * 8", "day of the week"), ("*/0 * * * *", "minute"), ("5-2 * * * *", "backwards"),
        ("1,,2 * * * *", "nothing"), ("a * * * *", "minute"), ("1-2-3 * * * *", "minute"), ("-1 * * * *", "minute"),
        ("*/5/5 * * * *", "minute"), ("@reboot", "none of"), ("@often", "none of"), ("١ * * * *", "minute"),
        ("99999999999999999999 * * * *", "minute"), ("* * * * mon-", "day of the week"),
    ])
    func `a line that is none is refused with its reason`(_ line: String, _ reason: String) {
        #expect { try Cron(line) } throws: { "\($0)".contains(reason) }
    }

    @Test(arguments: [
        ("* * * * *", "every minute"), ("0 * * * *", "every hour"), ("*/15 * * * *", "every 15 minutes"),
        ("5,35 * * * *", "every hour at :05 and :35"), ("0 18 * * fri", "every Friday at 18:00"),
        ("0 18 * * 5-7", "Friday to Sunday at 18:00"), ("0 18 * * fri-sun", "Friday to Sunday at 18:00"),
        ("30 6,18 * * *", "every day at 06:30 and 18:30"), ("0 */2 * * *", "every 2 hours"),
        ("*/10 8-17 * * mon-fri", "every 10 minutes from 08:00 to 17:59, Monday to Friday"),
        ("0 4 1 * *", "on the 1st of every month at 04:00"),
        ("0 4 1,15 1,7 *", "on the 1st and 15th of January and July at 04:00"),
        ("0 0 13 * 5", "on the 13th of every month and every Friday at 00:00"), ("@weekly", "every Sunday at 00:00"),
        ("@YEARLY", "on the 1st of January at 00:00"), ("0 12 * DEC *", "every day in December at 12:00"),
        ("0 0 1-31 * mon", "every day at 00:00"), ("0 0 13 5 0-6", "every day in May at 00:00"),
        ("7 1-8 * * *", "every day at the times of 7 1-8 * * *"),
    ])
    func `a line is said in words`(_ line: String, _ words: String) throws {
        let cron = try Cron(line)
        #expect(cron.words == words)
    }

    @Test func `a day counts by either of its fields, or by both where one begins with a star`() throws {
        let either = try next("0 0 13 * fri", "UTC", after: "2026-11-10T00:00:00Z", count: 3)
        #expect(either.map { $0.prefix(10) } == ["2026-11-13", "2026-11-20", "2026-11-27"])
        let both = try next("0 0 */2 * fri", "UTC", after: "2026-11-10T00:00:00Z", count: 3)
        #expect(both.map { $0.prefix(10) } == ["2026-11-13", "2026-11-27", "2026-12-11"])
        #expect(try next("0 0 30 2 *", "UTC", after: "2026-11-10T00:00:00Z", count: 1) == [])
        let leap = try next("0 0 29 2 */7", "UTC", after: "2026-11-10T00:00:00Z", count: 2)
        #expect(leap.map { $0.prefix(10) } == ["2032-02-29", "2060-02-29"])
    }

    @Test(arguments: [
        // The clocks are put forward: what is skipped comes at the next valid time, once.
        (
            "30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z",
            ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]
        ),
        (
            "*/15 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z",
            ["2027-03-28T03:00:00+02:00", "2027-03-29T02:00:00+02:00"]
        ),
        // They are put back: the first of the two.
        (
            "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
        ),
        // What comes in every hour goes by the time that passes.
        (
            "30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z",
            ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"]
        ),
        (
            "30 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z",
            ["2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"]
        ),
        // Inside an hour of a day with a change.
        (
            "*/30 12 * * *", "Europe/Berlin", "2026-10-25T11:10:00Z",
            ["2026-10-25T12:30:00+01:00", "2026-10-26T12:00:00+01:00"]
        ),
        // Half an hour; a day that is put off to the next; a day that never was.
        (
            "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]
        ),
        (
            "30 23 * * *", "America/Nuuk", "2027-03-27T12:00:00Z",
            ["2027-03-28T00:00:00-01:00", "2027-03-28T23:30:00-01:00"]
        ),
        (
            "0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
            ["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"]
        ),
        // Names with signs, dashes and no summer time; years beyond every table.
        ("0 6 * * *", "Etc/GMT+5", "2026-01-01T12:00:00Z", ["2026-01-02T06:00:00-05:00"]),
        (
            "30 2 * * *", "America/Port-au-Prince", "2027-03-13T12:00:00Z",
            ["2027-03-14T03:00:00-04:00", "2027-03-15T02:30:00-04:00"]
        ),
        ("30 2 * * *", "Europe/Berlin", "2150-03-28T12:00:00Z", ["2150-03-29T03:00:00+02:00"]),
    ])
    func `each time comes once on each day`(_ line: String, _ zone: String, _ after: String, _ wanted: [String]) throws
    {
        #expect(try next(line, zone, after: after, count: wanted.count) == wanted)
    }

    /// Against the years of the past, on which all editions of the database agree.
    @Test func `every zone of the machine can be read`() throws {
        let root = "/usr/share/zoneinfo"
        var count = 0
        for case let path as String in try #require(FileManager.default.enumerator(atPath: root)) {
            guard let data = FileManager.default.contents(atPath: "\(root)/\(path)"),
                data.starts(with: Data("TZif".utf8)),
                !path.hasPrefix("right/"), !path.hasPrefix("posix/"), TimeZoneName.allows(path)
            else { continue }
            let rules = try TimeZoneRules(name: path, file: Array(data))
            guard let zone = TimeZone(identifier: path) else { continue }
            count += 1
            for year in [1999, 2010, 2020] {
                for day in stride(from: 0, to: 365, by: 13) {
                    let instant = CivilDay(number: CivilDay(year: year, month: 1, day: 1).number + day).start
                    let date = Date(timeIntervalSince1970: Double(instant))
                    #expect(rules.offset(at: instant) == zone.secondsFromGMT(for: date), "\(path) \(date)")
                }
            }
        }
        #expect(count > 300)
    }

    @Test func `a file that is damaged is refused, wherever it is`() throws {
        let file = Array(try Data(contentsOf: URL(filePath: "/usr/share/zoneinfo/Europe/Berlin")))
        for length in 0..<file.count where length < 200 || length.isMultiple(of: 7) {
            #expect(throws: TimeZoneError.self) { try TimeZoneRules(name: "x", file: Array(file.prefix(length))) }
        }
        var random = Seeded(7)
        for _ in 0..<5000 {
            var damaged = file
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // Read or refused: never a crash, and an answer to every question.
            guard let rules = try? TimeZoneRules(name: "x", file: damaged) else { continue }
            _ = try Cron("30 2 * * *").next(after: 1_800_000_000, in: rules)
        }
        var old = file
        old[4] = 0
        #expect { try TimeZoneRules(name: "x", file: old) } throws: { "\($0)".contains("version") }
    }

    @Test(arguments: ["", "../etc/passwd", "/etc/localtime", "Europe//Berlin", "Europe/", ".", "a b", "UTC\0", "ü"])
    func `no zone's name leads anywhere else`(_ name: String) { #expect(!TimeZoneName.allows(name)) }

    @Test(arguments: [
        ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), ("5H", 18_000), ("10", 600),
        ("0m", 0), ("1d2h3m4s", 93_784),
    ])
    func `a span of time is read`(_ text: String, _ seconds: Int) {
        #expect(DurationText.seconds(text) == seconds)
        #expect(DurationText.seconds(DurationText.text(seconds)) == seconds)
    }

    @Test(arguments: [
        "", "abc", "10x", "5 m", "-5m", "m", "1m1h", "1h1h", "99999999999d", "9999999999999999999999h", "1.5h", "١m",
        "+5m",
    ])
    func `what is no span of time is refused`(_ text: String) { #expect(DurationText.seconds(text) == nil) }
}
