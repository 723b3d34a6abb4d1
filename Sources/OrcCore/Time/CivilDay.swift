/// A day of the Gregorian calendar, identified by the number of days since 1970-01-01.
///
/// Dates are converted by Howard Hinnant's `days_from_civil` and `civil_from_days`
/// (howardhinnant.github.io/date_algorithms.html).
package struct CivilDay: Sendable, Hashable {
    package let number: Int

    package init(number: Int) { self.number = number }

    /// The day that contains a local time.
    ///
    /// `local`: seconds since 1970-01-01 00:00 by the local clock.
    package init(local: Int) { number = local.floored(by: 86_400) }

    /// The day with this date; `month` is 1 to 12, and `day` counts from 1.
    package init(year: Int, month: Int, day: Int) {
        let year = month <= 2 ? year - 1 : year
        let era = year.floored(by: 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        number = era * 146_097 + dayOfEra - 719_468
    }

    package var parts: (year: Int, month: Int, day: Int) {
        let shifted = number + 719_468
        let era = shifted.floored(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }

    /// The day of the week: 0 for Sunday, 6 for Saturday, as in cron.
    package var weekday: Int { (number + 4) - (number + 4).floored(by: 7) * 7 }

    /// The day's first second, in seconds since 1970-01-01 00:00 by the local clock.
    package var start: Int { number * 86_400 }

    package static func isLeap(_ year: Int) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }

    /// Returns the number of days in a month; `month` is 1 to 12.
    package static func length(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: isLeap(year) ? 29 : 28
        default: 31
        }
    }
}

extension Int {
    /// Returns the quotient rounded down, also if `self` is negative.
    package func floored(by divisor: Int) -> Int {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
