//! Quiet hours: whether a text may arrive now where its recipient is, and else from when on. A pure decision with its
//! reasons, which is kept with the text. All zones of a number must be inside the hours of every rule that holds; where
//! it is not known in which state a number is, the rules of every state hold.

pub mod law;
pub mod place;
pub mod policy;
pub mod rows;
pub mod week;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use self::place::Place;
use self::policy::Policy;
use self::week::{Week, written};
use crate::facts::purpose::Purpose;
use crate::sms::number::is_e164;

/// The reason of `sms.held`.
pub const HELD: &str = "quiet_hours";
/// The reason of `sms.failed` where no hour of any week is inside all hours.
pub const NEVER: &str = "no_hours";

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody asks: `why` says for what reason.
    Exempt,
    /// It may arrive now.
    Open,
    /// It waits until then.
    Quiet,
    /// No hour of the week is inside all hours.
    Never,
}

/// Local time somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// IANA name.
    pub zone: String,
    /// The clock there, as `Wed 07:10`.
    pub clock: String,
    /// The hours of that day, as `08:00-20:00`; none: not on that day.
    pub hours: Option<String>,
}

/// A decision with its reasons, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Of an exempt one: `purpose`, `switched_off`, `no_phone` or `fictional_number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of which text.
    pub purpose: Purpose,
    /// When it was decided.
    pub at: Timestamp,
    /// From when on it may arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// As `US-FL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// What the zones rest on: `prefix`, `country` or `tenant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// All zones, and the clock in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<Local>,
    /// Ids of the rules that hold; `tenant…` are the tenant's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

impl Decision {
    fn of(verdict: Verdict, purpose: Purpose, at: Timestamp) -> Self {
        let (why, until, country, basis) = (None, None, None, None);
        let (states, zones, rules) = (Vec::new(), Vec::new(), Vec::new());
        Self { verdict, why, purpose, at, until, country, states, basis, zones, rules }
    }
}

/// Whether a text may arrive now. `zone` is the tenant's.
#[must_use]
pub fn decide(now: Timestamp, to: &str, purpose: Purpose, policy: &Policy, zone: &str) -> Decision {
    let exempt = if !policy.on {
        Some("switched_off")
    } else if policy.exempts(purpose) {
        Some("purpose")
    } else if !is_e164(to) {
        Some("no_phone")
    } else {
        place::is_fictional(to).then_some("fictional_number")
    };
    if let Some(why) = exempt {
        return Decision { why: Some(why.to_owned()), ..Decision::of(Verdict::Exempt, purpose, now) };
    }
    let place = place::of(to, zone);
    let (rules, week) = hours(&place, purpose, policy);
    let zones: Vec<(String, TimeZone)> =
        place.zones.iter().filter_map(|name| TimeZone::get(name).ok().map(|zone| (name.clone(), zone))).collect();
    let only: Vec<&TimeZone> = zones.iter().map(|(_, zone)| zone).collect();
    let (verdict, until) = if is_inside(now, &only, &week) {
        (Verdict::Open, None)
    } else {
        opens(now, &only, &week).map_or((Verdict::Never, None), |until| (Verdict::Quiet, Some(until)))
    };
    Decision {
        until,
        country: place.country,
        states: place.states,
        basis: Some(place.basis.as_str().to_owned()),
        zones: zones.iter().map(|(name, zone)| local(now, name, zone, &week)).collect(),
        rules,
        ..Decision::of(verdict, purpose, now)
    }
}

/// The rules that hold, and the hours that all of them allow.
fn hours(place: &Place, purpose: Purpose, policy: &Policy) -> (Vec<String>, Week) {
    let places: Vec<String> = place.country.iter().chain(&place.states).cloned().collect();
    let law = law::of(&places, place.whole, purpose).map(|rule| (rule.id.clone(), rule.week()));
    let states: Vec<String> = match place.whole {
        Some(country) => policy.places.keys().filter(|key| key.starts_with(&format!("{country}-"))).cloned().collect(),
        None => place.states.clone(),
    };
    let all: Vec<(String, Week)> = law.chain(policy.own_of(place.country.as_deref(), &states)).collect();
    let week = all.iter().fold(Week::OPEN, |week, (_, rule)| week.and(rule));
    (all.into_iter().map(|(id, _)| id).collect(), week)
}

fn is_inside(at: Timestamp, zones: &[&TimeZone], week: &Week) -> bool {
    zones.iter().all(|zone| {
        let local = at.to_zoned((*zone).clone());
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        week.on(local.weekday()).is_some_and(|(from, to)| (from..to).contains(&minute))
    })
}

/// The first moment from now on that is inside in all zones: one at which the hours of some zone begin.
fn opens(now: Timestamp, zones: &[&TimeZone], week: &Week) -> Option<Timestamp> {
    let mut begin: Vec<Timestamp> = Vec::new();
    for zone in zones {
        let today = now.to_zoned((*zone).clone()).date();
        // a week, and the day on either side where the clock differs
        for days in -1..=8 {
            let Ok(date) = today.checked_add(Span::new().days(days)) else { continue };
            let Some((from, _)) = week.on(date.weekday()) else { continue };
            let time = i8::try_from(from / 60).ok().zip(i8::try_from(from % 60).ok());
            let time = time.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
            let at = time.and_then(|time| date.to_datetime(time).to_zoned((*zone).clone()).ok());
            begin.extend(at.map(|at| at.timestamp()).filter(|at| *at >= now));
        }
    }
    begin.sort_unstable();
    begin.into_iter().find(|at| is_inside(*at, zones, week))
}

fn local(now: Timestamp, name: &str, zone: &TimeZone, week: &Week) -> Local {
    let local = now.to_zoned(zone.clone());
    let clock = local.strftime("%a %H:%M").to_string();
    Local { zone: name.to_owned(), clock, hours: week.on(local.weekday()).map(written) }
}

#[cfg(test)]
mod tests;
