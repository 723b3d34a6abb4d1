extension Cron {
    /// The schedule in words, such as `every Friday at 18:00`.
    package var words: String {
        let days = dayWords
        guard let times else { return "\(days) at the times of \(text)" }
        switch times {
        case .clock(let words): return "\(days) at \(words)"
        case .pace(let words): return days == "every day" ? words : "\(words), \(days)"
        }
    }

    // Times.

    private enum Times {
        /// Fixed times of day, in words, such as `18:00 and 20:00`.
        case clock(String)
        /// A repetition, in words, such as `every 15 minutes`.
        case pace(String)
    }

    /// The times of day in words; nil if there are too many to list.
    private var times: Times? {
        let (minutes, hours) = (minutes.numbers, hours.numbers)
        if isEveryHour {
            if minutes.count == 60 { return .pace("every minute") }
            if minutes == [0] { return .pace("every hour") }
            if let step = Self.step(minutes, 60) { return .pace("every \(step) minutes") }
            guard minutes.count <= 6 else { return nil }
            return .pace("every hour at \(Self.list(minutes.map { ":" + Self.padded($0) }))")
        }
        if minutes.count == 1 {
            let minute = ":" + Self.padded(minutes[0])
            if hours.count <= 6 { return .clock(Self.list(hours.map { Self.padded($0) + minute })) }
            guard let step = Self.step(hours, 24) else { return nil }
            return .pace("every \(step) hours" + (minutes[0] == 0 ? "" : " at \(minute)"))
        }
        guard let step = minutes.count == 60 ? 1 : Self.step(minutes, 60), Self.isRow(hours) else { return nil }
        let pace = step == 1 ? "every minute" : "every \(step) minutes"
        return .pace("\(pace) from \(Self.padded(hours[0])):00 to \(Self.padded(hours[hours.count - 1])):59")
    }

    // Days.

    private var dayWords: String {
        // A day matches if either field does, and one of the fields matches every day.
        let isAny = !isDayFree && !isWeekdayFree && (dayOfMonthWords == nil || weekdayWords == nil)
        return isAny ? monthWords.map { "every day in \($0)" } ?? "every day" : namedDayWords
    }

    private var monthWords: String? {
        let months = months.numbers
        return months.count == 12 ? nil : Self.list(months.map { Self.monthNames[$0 - 1] })
    }

    private var namedDayWords: String {
        let days = dayOfMonthWords
        let weekdays = weekdayWords
        let months = monthWords
        let month = months ?? "every month"
        switch (days, weekdays) {
        case (nil, nil): return months.map { "every day in \($0)" } ?? "every day"
        case (nil, let weekdays?): return weekdays + (months.map { " in \($0)" } ?? "")
        case (let days?, nil): return "on the \(days) of \(month)"
        case (let days?, let weekdays?):
            return "on the \(days) of \(month) \(isDayFree || isWeekdayFree ? "where it is" : "and") \(weekdays)"
        }
    }

    private var dayOfMonthWords: String? {
        let days = days.numbers
        return days.count == 31 ? nil : Self.list(days.map(Self.ordinal))
    }

    private var weekdayWords: String? {
        let numbers = weekdays.numbers.filter { $0 > 0 } + (weekdays.has(0) ? [7] : [])
        if numbers.count == 7 { return nil }
        let names = numbers.map { Self.weekdayNames[$0 - 1] }
        if numbers.count > 2, Self.isRow(numbers) { return "\(names[0]) to \(names[names.count - 1])" }
        return "every \(Self.list(names))"
    }

    private static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdayNames = [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]

    // Pieces.

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static func list(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return "\(words.dropLast().joined(separator: ", ")) and \(last)"
    }

    private static func ordinal(_ number: Int) -> String {
        switch number {
        case 1, 21, 31: "\(number)st"
        case 2, 22: "\(number)nd"
        case 3, 23: "\(number)rd"
        default: "\(number)th"
        }
    }

    /// Returns the constant distance between `numbers`, if they start at 0 and extend over `range`; nil otherwise.
    private static func step(_ numbers: [Int], _ range: Int) -> Int? {
        guard numbers.count > 1, numbers[0] == 0 else { return nil }
        let step = numbers[1]
        return numbers == Array(stride(from: 0, to: range, by: step)) && range.isMultiple(of: step) ? step : nil
    }

    private static func isRow(_ numbers: [Int]) -> Bool {
        !numbers.isEmpty && numbers[numbers.count - 1] - numbers[0] == numbers.count - 1
    }
}
