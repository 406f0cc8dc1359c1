//! Hours of a week in which texts may arrive, in the local time of whoever gets them. Ends are not included; hours go by
//! the clock on the wall, so that a day's change of summer time needs no care.

use jiff::civil::Weekday;

/// Minutes from midnight, the end not included.
pub type Span = (i32, i32);

/// The span of each day, Monday first; none: not on that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week(pub [Option<Span>; 7]);

/// The days' names, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Week {
    /// At any hour.
    pub const OPEN: Self = Self([Some((0, 1_440)); 7]);

    /// Its span on a day.
    #[must_use]
    pub fn on(&self, day: Weekday) -> Option<Span> {
        self.0[usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)]
    }

    /// What both allow.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = ours.zip(theirs).map(|(a, b)| (a.0.max(b.0), a.1.min(b.1))).filter(|(from, to)| from < to);
        }
        self
    }

    /// There is an hour in it.
    #[must_use]
    pub fn is_ever(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

/// `08:00` in minutes; `24:00` ends a day.
#[must_use]
pub fn minutes(text: &str) -> Option<i32> {
    let (hour, minute) = text.split_once(':')?;
    let two =
        |t: &str| (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<i32>().ok()).flatten();
    let (hour, minute) = (two(hour)?, two(minute)?);
    (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
}

/// `08:00-21:00` as a span.
#[must_use]
pub fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minutes(from)?, minutes(to)?);
    (from < to).then_some((from, to))
}

/// A span as it is written.
#[must_use]
pub fn written((from, to): Span) -> String {
    format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_allow_is_the_narrower_of_each_day() {
        let a = Week([Some((480, 1260)); 7]);
        let mut b = Week([Some((540, 1200)); 7]);
        b.0[6] = None;
        b.0[5] = Some((1260, 1300));
        let both = a.and(&b);
        assert_eq!(
            (both.on(Weekday::Monday), both.on(Weekday::Saturday), both.on(Weekday::Sunday)),
            (Some((540, 1200)), None, None)
        );
        assert!(both.is_ever() && !both.and(&Week([None; 7])).is_ever());
        assert_eq!(
            (span("08:00-21:00"), span("21:00-08:00"), span("8-9"), span("00:00-24:00")),
            (Some((480, 1260)), None, None, Some((0, 1440)))
        );
        assert_eq!(written((480, 1230)), "08:00-20:30");
    }
}
