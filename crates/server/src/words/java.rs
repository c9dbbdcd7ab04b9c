//! How Java writes what stands in the texts.

use std::fmt;
use std::net::SocketAddr;

use zooid_ids::Millis;

/// A number with a point, rounded to four places as ZooKeeper does.
pub(super) struct Double(pub(super) f64);

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 10_000.0).round() / 10_000.0;
        if rounded == 0.0 || (0.001..10_000_000.0).contains(&rounded.abs()) {
            return write!(f, "{rounded:?}");
        }
        let text = format!("{rounded:E}");
        match text.split_once('E') {
            Some((digits, exponent)) if !digits.contains('.') => write!(f, "{digits}.0E{exponent}"),
            _ => f.write_str(&text),
        }
    }
}

/// An address that was never looked up: a slash instead of a name.
pub(super) struct Address(pub(super) SocketAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V4(address) => write!(f, "/{address}"),
            SocketAddr::V6(address) => {
                let groups = address.ip().segments().map(|group| format!("{group:x}"));
                write!(f, "/[{}]:{}", groups.join(":"), address.port())
            }
        }
    }
}

/// A point in time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// The date so many milliseconds after 1970 began.
    pub(super) fn at(time: Millis) -> Self {
        let seconds = time.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Counted from 1 March of a year that 400 divides, leap days come last.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = (from_march + 2) % 12;
        Self {
            year: era * 400 + year_of_era + i64::from(month < 2),
            month: month as usize,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            weekday: days.rem_euclid(7) as usize,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// As ZooKeeper's build date: `2026-02-11 20:18 UTC`.
    pub(super) fn to_minute(self) -> String {
        let Self { year, month, day, hour, minute, .. } = self;
        format!("{year}-{:02}-{day:02} {hour:02}:{minute:02} UTC", month + 1)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, day, hour, minute, second, .. } = self;
        let (weekday, month) = (WEEKDAYS[self.weekday], MONTHS[self.month]);
        write!(f, "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in [
            (0.0, "0.0"),
            (14.0, "14.0"),
            (0.3333333, "0.3333"),
            (0.00009, "1.0E-4"),
            (0.00052, "5.0E-4"),
            (0.0012, "0.0012"),
            (1234567.25, "1234567.25"),
            (12_500_000.0, "1.25E7"),
            (10_000_000.0, "1.0E7"),
        ] {
            assert_eq!(Double(number).to_string(), text);
        }
    }

    #[test]
    fn addresses() {
        for (address, text) in [
            ("127.0.0.1:42044", "/127.0.0.1:42044"),
            ("[::1]:42044", "/[0:0:0:0:0:0:0:1]:42044"),
            ("[2001:db8::ff]:1", "/[2001:db8:0:0:0:0:0:ff]:1"),
        ] {
            assert_eq!(Address(address.parse().unwrap()).to_string(), text);
        }
    }

    #[test]
    fn dates() {
        for (time, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_567_156_000, "Wed Nov 25 00:39:16 UTC 2026"),
            (1_709_164_799_999, "Wed Feb 28 23:59:59 UTC 2024"),
            (1_709_164_800_000, "Thu Feb 29 00:00:00 UTC 2024"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(Date::at(Millis(time)).to_string(), text);
        }
        assert_eq!(Date::at(Millis(1_770_841_080_000)).to_minute(), "2026-02-11 20:18 UTC");
    }
}
