//! Where whoever has a number is, as far as the number tells: country, states, time zones. Data: ../number/data, made by
//! scripts/numbers/data.py. A ported or travelling phone is elsewhere; the number does not tell.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::sms::number::plan::{self, Kind};

type Table = HashMap<&'static str, Vec<&'static str>>;

static ZONES: LazyLock<Table> = LazyLock::new(|| table(include_str!("../number/data/zones.tsv")));
static AREAS: LazyLock<Table> = LazyLock::new(|| table(include_str!("../number/data/areas.tsv")));
/// The zones of an area code: its own, and where the data has none, those of all its exchanges.
static AREA_ZONES: LazyLock<Table> = LazyLock::new(|| {
    let mut zones: Table = HashMap::new();
    for (prefix, theirs) in ZONES.iter().filter(|(prefix, _)| prefix.starts_with('1') && prefix.len() >= 4) {
        if prefix.len() == 4 || !ZONES.contains_key(&prefix[..4]) {
            zones.entry(&prefix[..4]).or_default().extend(theirs);
        }
    }
    zones
});
/// The zones of all US states: of whom it is not known in which one they are.
static US_ZONES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut zones: Vec<&str> = AREAS.keys().flat_map(|area| of_area(&format!("1{area}"))).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
});

fn table(text: &'static str) -> Table {
    let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|row| row.split_once('\t'));
    rows.map(|(key, values)| (key, values.split(',').collect())).collect()
}

/// The zones of the longest prefix that is known.
fn longest(digits: &str) -> &'static [&'static str] {
    (1..=digits.len()).rev().find_map(|length| ZONES.get(digits.get(..length)?)).map_or(&[], Vec::as_slice)
}

/// The zones of a number of the North American plan: those of its longest prefix and those of its area code, since phones
/// are ported within it. None where the area code is not known.
fn of_area(digits: &str) -> Vec<&'static str> {
    let Some(area) = digits.get(..4).and_then(|area| AREA_ZONES.get(area)) else { return Vec::new() };
    let exchange = if digits.len() > 4 { longest(digits) } else { &[] };
    let mut zones: Vec<&str> = area.iter().chain(exchange).copied().collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

/// What the zones rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The first digits of the number.
    Prefix,
    /// The whole country, since the digits belong to no place in it.
    Country,
    /// Nothing is known: the tenant's own zone.
    Tenant,
}

impl Basis {
    /// As in decisions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Country => "country",
            Self::Tenant => "tenant",
        }
    }
}

/// Where a number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Two letters; none where nothing tells.
    pub country: Option<String>,
    /// States, as `US-FL`; empty where unknown, or where states do not matter.
    pub states: Vec<String>,
    /// It is in some state of this country, nobody knows which.
    pub whole: Option<&'static str>,
    /// All of these.
    pub zones: Vec<String>,
    /// What they rest on.
    pub basis: Basis,
}

/// Whether a number was set apart for fiction, so that nobody has it: area code 555, and 555-0100 to 555-0199 of any area
/// code (North American Numbering Plan, 555 line number guidelines).
#[must_use]
pub fn is_fictional(e164: &str) -> bool {
    let Some(digits) = e164.strip_prefix("+1").filter(|digits| digits.len() == 10) else { return false };
    digits.starts_with("555") || digits[3..].starts_with("55501")
}

/// Whether this is a state of the US, as `US-FL`.
#[must_use]
pub fn is_state(place: &str) -> bool {
    place.strip_prefix("US-").is_some_and(|state| AREAS.values().flatten().any(|known| *known == state))
}

/// Where a number is; the tenant's zone stands in where nothing tells.
#[must_use]
pub fn of(e164: &str, tenant_zone: &str) -> Place {
    let digits = e164.strip_prefix('+').unwrap_or(e164);
    let plan = plan::of(e164);
    let country = plan.as_ref().and_then(|plan| plan.country.clone()).filter(|country| country != "001");
    if digits.starts_with('1') && country.as_deref().is_none_or(|country| country == "US") {
        return american(digits, plan.is_some_and(|plan| plan.kind == Kind::TollFree));
    }
    let found = if digits.starts_with('1') { of_area(digits) } else { longest(digits).to_vec() };
    let zones: Vec<String> = found.into_iter().filter(|zone| is_zone(zone)).map(str::to_owned).collect();
    let (zones, basis) =
        if zones.is_empty() { (vec![tenant_zone.to_owned()], Basis::Tenant) } else { (zones, Basis::Prefix) };
    Place { country, states: Vec::new(), whole: None, zones, basis }
}

fn american(digits: &str, is_toll_free: bool) -> Place {
    let country = Some("US".to_owned());
    let states = digits.get(1..4).and_then(|area| AREAS.get(area)).filter(|_| !is_toll_free);
    let whole = states.is_none().then_some("US");
    let states: Vec<String> = states.into_iter().flatten().map(|state| format!("US-{state}")).collect();
    let zones = if states.is_empty() { Vec::new() } else { of_area(digits) };
    let basis = if zones.is_empty() { Basis::Country } else { Basis::Prefix };
    let zones = if zones.is_empty() { US_ZONES.clone() } else { zones };
    Place { country, states, whole, zones: zones.into_iter().map(str::to_owned).collect(), basis }
}

fn is_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(number: &str) -> Vec<String> {
        of(number, "Europe/Vienna").zones
    }

    #[test]
    fn seven_area_codes_have_two_zones() {
        for (area, pair) in [
            ("605", ["America/Denver", "America/North_Dakota/Center"]),
            ("701", ["America/Denver", "America/North_Dakota/Center"]),
            ("709", ["America/Halifax", "America/St_Johns"]),
            ("775", ["America/Boise", "America/Los_Angeles"]),
            ("879", ["America/Puerto_Rico", "America/St_Johns"]),
            ("907", ["America/Adak", "America/Anchorage"]),
            ("986", ["America/Boise", "America/Los_Angeles"]),
        ] {
            let zones = zones(&format!("+1{area}2212368"));
            assert!(pair.iter().all(|zone| zones.contains(&(*zone).to_owned())), "{area} {zones:?}");
        }
        assert_eq!(zones("+12125552368"), ["America/New_York"]);
        assert_eq!(zones("+13105552368"), ["America/Los_Angeles"], "no zone of its own, but of its exchanges");
    }

    #[test]
    fn states_follow_from_area_codes_and_toll_free_numbers_are_anywhere() {
        assert_eq!(of("+13055552368", "UTC").states, ["US-FL"]);
        assert_eq!(of("+12035552368", "UTC").states, ["US-CT"], "an area code whose towns alone are named");
        for anywhere in ["+18005552368", "+15005552368", "+12005552368"] {
            let place = of(anywhere, "UTC");
            assert_eq!((place.whole, place.basis), (Some("US"), Basis::Country), "{anywhere}");
            assert!(
                place.zones.contains(&"Pacific/Honolulu".into()) && place.zones.contains(&"America/New_York".into())
            );
            assert!(!place.zones.iter().any(|zone| zone.contains("St_Johns")), "Canada is not the US");
        }
        let toronto = of("+14165552368", "UTC");
        assert_eq!((toronto.country.as_deref(), toronto.whole), (Some("CA"), None));
    }

    #[test]
    fn where_nothing_tells_the_tenants_zone_stands_in() {
        assert_eq!(of("+4930123456", "UTC").zones, ["Europe/Berlin"]);
        let nowhere = of("+80012345678", "Europe/Vienna");
        assert!(nowhere.country.is_none() && nowhere.basis == Basis::Tenant, "{nowhere:?}");
        assert_eq!(nowhere.zones, ["Europe/Vienna"]);
    }

    #[test]
    fn numbers_of_fiction_are_nobodys() {
        assert!(is_fictional("+15550100001") && is_fictional("+12125550123"));
        assert!(!is_fictional("+12125552368") && !is_fictional("+12125550200") && !is_fictional("+495550100"));
    }

    #[test]
    fn every_zone_is_known() {
        let unknown: Vec<&&str> = ZONES.values().flatten().filter(|zone| !is_zone(zone)).collect();
        assert!(ZONES.len() > 3_000 && unknown.iter().all(|zone| **zone == "Etc/Unknown"), "{unknown:?}");
    }
}
