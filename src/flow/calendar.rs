//! Business hours: weekly intervals in civil time of a time zone, yearly or single holidays, and days with hours of their
//! own. Pure; a day's change of summer time needs no care, since hours are compared as the clock on the wall shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A calendar as people write it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// IANA name; without it the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// `mon` to `sun`: intervals as `09:00-17:30`, the end not included; `24:00` ends a day. A day left out is closed.
    pub hours: BTreeMap<String, Vec<String>>,
    /// Closed all day: `2026-12-25`, or `12-25` in every year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// Days with hours of their own, written as holidays are; they go before all else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exceptions: BTreeMap<String, Vec<String>>,
}

/// The days' names, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A mistake: where below the calendar (a JSON pointer), what, and what to write instead.
pub type Mistaken = (String, String, String);

/// Minutes from midnight to midnight, the end not included.
type Interval = (i32, i32);

/// A calendar that was understood.
#[derive(Clone, Debug)]
pub struct Hours {
    zone: Option<TimeZone>,
    week: [Vec<Interval>; 7],
    holidays: Vec<Day>,
    exceptions: Vec<(Day, Vec<Interval>)>,
}

/// A date, or a day of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    Once(Date),
    Yearly(i8, i8),
}

impl Day {
    fn of(text: &str) -> Option<Self> {
        if let Ok(date) = text.parse::<Date>() {
            return (text.len() == 10).then_some(Self::Once(date));
        }
        let (month, day) = text.split_once('-')?;
        let (month, day) = (two_digits(month)?, two_digits(day)?);
        // 2000 had a 29th of February
        Date::new(2000, month, day).ok().map(|_| Self::Yearly(month, day))
    }

    fn is(self, date: Date) -> bool {
        match self {
            Self::Once(day) => day == date,
            Self::Yearly(month, day) => (month, day) == (date.month(), date.day()),
        }
    }
}

fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn interval(text: &str) -> Option<Interval> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minutes(from)?, minutes(until)?);
    (from < until).then_some((from, until))
}

fn minutes(text: &str) -> Option<i32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (i32::from(two_digits(hour)?), i32::from(two_digits(minute)?));
    (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
}

impl Hours {
    /// Understands a calendar.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of(calendar: &Calendar) -> Result<Self, Vec<Mistaken>> {
        let mut wrong: Vec<Mistaken> = Vec::new();
        let mut hours =
            Self { zone: None, week: [const { Vec::new() }; 7], holidays: Vec::new(), exceptions: Vec::new() };
        if let Some(name) = &calendar.time_zone {
            hours.zone = TimeZone::get(name).ok();
            if hours.zone.is_none() {
                let instead = "write a name of the IANA time zones, as \"Europe/Berlin\", or leave it out";
                wrong.push(("/time_zone".into(), format!("there is no time zone {name:?}"), instead.into()));
            }
        }
        for (day, list) in &calendar.hours {
            let place = format!("/hours/{day}");
            match DAYS.iter().position(|name| name == day) {
                Some(nth) => hours.week[nth] = intervals(&place, list, &mut wrong),
                None => {
                    wrong.push((place, format!("{day:?} is no day"), format!("write one of {}", DAYS.join(", "))));
                }
            }
        }
        let dated = |place: String, text: &String, wrong: &mut Vec<Mistaken>| {
            let day = Day::of(text);
            if day.is_none() {
                let instead = "write it as 2026-12-25, or as 12-25 for every year";
                wrong.push((place, format!("{text:?} is no day"), instead.into()));
            }
            day
        };
        for (nth, text) in calendar.holidays.iter().enumerate() {
            hours.holidays.extend(dated(format!("/holidays/{nth}"), text, &mut wrong));
        }
        for (text, list) in &calendar.exceptions {
            let place = format!("/exceptions/{text}");
            let intervals = intervals(&place, list, &mut wrong);
            hours.exceptions.extend(dated(place, text, &mut wrong).map(|day| (day, intervals)));
        }
        if wrong.is_empty() { Ok(hours) } else { Err(wrong) }
    }

    /// Whether it is open at a moment; `zone` is the tenant's, for a calendar without one of its own.
    #[must_use]
    pub fn is_open(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let civil = now.to_zoned(self.zone.clone().unwrap_or_else(|| zone.clone())).datetime();
        let minute = i32::from(civil.hour()) * 60 + i32::from(civil.minute());
        let is_in = |intervals: &[Interval]| intervals.iter().any(|(from, until)| (*from..*until).contains(&minute));
        let date = civil.date();
        if let Some((_, intervals)) = self.exceptions.iter().find(|(day, _)| day.is(date)) {
            return is_in(intervals);
        }
        let nth = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        !self.holidays.iter().any(|day| day.is(date)) && is_in(&self.week[nth])
    }
}

fn intervals(place: &str, list: &[String], wrong: &mut Vec<Mistaken>) -> Vec<Interval> {
    let mut found = Vec::new();
    for (nth, text) in list.iter().enumerate() {
        match interval(text) {
            Some(interval) => found.push(interval),
            None => wrong.push((
                format!("{place}/{nth}"),
                format!("{text:?} is no interval of a day"),
                "write it as \"09:00-17:30\"; what goes past midnight is two, the first one until 24:00".into(),
            )),
        }
    }
    found
}

/// The short name of a weekday.
#[must_use]
pub fn day_name(day: Weekday) -> &'static str {
    usize::try_from(day.to_monday_zero_offset()).ok().and_then(|nth| DAYS.get(nth).copied()).unwrap_or("mon")
}

/// A time of day as `09:05`.
#[must_use]
pub fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hours(calendar: serde_json::Value) -> Hours {
        Hours::of(&serde_json::from_value(calendar).unwrap()).unwrap()
    }

    fn open(hours: &Hours, zone: &str, moment: &str) -> bool {
        hours.is_open(moment.parse().unwrap(), &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn hours_are_those_of_the_wall_clock_in_summer_and_winter() {
        let office = hours(json!({"hours": {"mon": ["09:00-17:00"], "tue": ["22:00-24:00"]}}));
        // Monday 2026-07-06 and 2026-12-07 in Berlin
        assert!(open(&office, "Europe/Berlin", "2026-07-06T07:00:00Z"));
        assert!(!open(&office, "Europe/Berlin", "2026-07-06T15:00:00Z"), "the end is not included");
        assert!(!open(&office, "Europe/Berlin", "2026-12-07T07:59:59Z"));
        assert!(open(&office, "Europe/Berlin", "2026-12-07T08:00:00Z"));
        assert!(open(&office, "UTC", "2026-12-08T23:59:59Z"));
    }

    #[test]
    fn holidays_close_and_exceptions_go_before_all() {
        let office = hours(json!({"hours": {"fri": ["00:00-24:00"]}, "holidays": ["12-25", "2026-11-27"],
                                  "exceptions": {"2026-12-25": ["10:00-12:00"], "2026-12-20": ["10:00-11:00"]}}));
        assert!(!open(&office, "UTC", "2026-11-27T10:00:00Z"), "a Friday that is a holiday once");
        assert!(open(&office, "UTC", "2026-12-25T10:00:00Z"), "the exception of this one year");
        assert!(!open(&office, "UTC", "2020-12-25T10:00:00Z"), "and in another year");
        assert!(open(&office, "UTC", "2026-12-20T10:59:00Z"), "a Sunday");
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let calendar = json!({"time_zone": "Mars/Base", "hours": {"monday": [], "tue": ["9-17", "17:00-09:00", "23:00-24:01"]},
                              "holidays": ["02-29", "02-30", "26-12-25"]});
        let wrong = Hours::of(&serde_json::from_value(calendar).unwrap()).unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|w| w.0.as_str()).collect();
        assert_eq!(
            places,
            [
                "/time_zone",
                "/hours/monday",
                "/hours/tue/0",
                "/hours/tue/1",
                "/hours/tue/2",
                "/holidays/1",
                "/holidays/2"
            ]
        );
    }
}
