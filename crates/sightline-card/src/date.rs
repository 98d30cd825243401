//! Days for cards. A day and no time: two runs of the same day write the same bytes.

use std::time::{SystemTime, UNIX_EPOCH};

/// Today in UTC as `YYYY-MM-DD`.
///
/// The environment variable `SOURCE_DATE_EPOCH` (seconds since 1970, <https://reproducible-builds.org/specs/source-date-epoch/>)
/// replaces the clock, so that a file can be made again byte for byte on another day.
#[must_use]
pub fn today() -> String {
    let fixed = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let seconds = fixed.unwrap_or_else(|| {
        // A clock before 1970 is a clock that was never set; the first day says as much.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    });
    day(seconds)
}

/// The day (UTC, Gregorian calendar) of a number of seconds since 1970, as `YYYY-MM-DD`.
#[must_use]
pub fn day(seconds: u64) -> String {
    // Days are counted from 0000-03-01, so that a leap day is the last of its year; an era is 400 years (H. Hinnant,
    // "chrono-compatible low-level date algorithms", civil_from_days).
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (seconds, want) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (1_735_689_599, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(seconds), want, "{seconds} s");
        }
    }

    /// Walks every day of four centuries against the calendar's own rule.
    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day_of_month) = (1970u64, 1u64, 1u64);
        for days in 0..146_097u64 {
            assert_eq!(
                day(days * 86_400),
                format!("{year:04}-{month:02}-{day_of_month:02}")
            );
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day_of_month += 1;
            if day_of_month > length {
                (day_of_month, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn the_largest_input_does_not_overflow() {
        assert!(day(u64::MAX).ends_with(|c: char| c.is_ascii_digit()));
    }
}
