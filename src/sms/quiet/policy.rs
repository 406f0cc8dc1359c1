//! A tenant's own policy of quiet hours: `[quiet_hours]` of its file, kept with the tenant as JSON. It can switch them off,
//! exempt purposes and narrow hours; it never widens what the law allows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::week::{DAYS, Week, minutes};
use crate::facts::purpose::Purpose;

/// The policy; what a file leaves out has these defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Quiet hours are kept at all.
    pub on: bool,
    /// Purposes that are not asked about.
    pub exempt: Vec<Purpose>,
    /// The purpose of outreach that names none.
    pub outreach: Purpose,
    /// The tenant's own hours, everywhere.
    #[serde(flatten)]
    pub own: Own,
    /// Instead of these in a country (`DE`), and beside those of its country in a state (`US-KY`).
    pub places: BTreeMap<String, Own>,
}

impl Default for Policy {
    fn default() -> Self {
        let (exempt, outreach) = (vec![Purpose::Conversational], Purpose::Promotional);
        Self { on: true, exempt, outreach, own: Own::default(), places: BTreeMap::new() }
    }
}

/// Hours of a tenant's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// `09:00`; none: from midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `18:00`, not included; none: to midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `mon` to `sun`; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
}

impl Own {
    /// When texts may arrive.
    #[must_use]
    pub fn week(&self) -> Week {
        let at = |text: &Option<String>, otherwise| text.as_deref().and_then(minutes).unwrap_or(otherwise);
        let span = (at(&self.from, 0), at(&self.to, 1_440));
        let is_on = |day: &str| self.days.as_ref().is_none_or(|days| days.iter().any(|d| d == day));
        Week(std::array::from_fn(|nth| Some(span).filter(|(from, to)| from < to && is_on(DAYS[nth]))))
    }

    /// It says anything.
    #[must_use]
    pub fn is_said(&self) -> bool {
        *self != Self::default()
    }
}

impl Policy {
    /// As it is kept; what cannot be read is the default, which is strict.
    #[must_use]
    pub fn of(json: serde_json::Value) -> Self {
        serde_json::from_value(json).unwrap_or_default()
    }

    /// This purpose is not asked about.
    #[must_use]
    pub fn exempts(&self, purpose: Purpose) -> bool {
        self.exempt.contains(&purpose)
    }

    /// The tenant's own hours in a country and its states, with the names under which they stand in decisions.
    #[must_use]
    pub fn own_of(&self, country: Option<&str>, states: &[String]) -> Vec<(String, Week)> {
        let named = |place: &str| self.places.get(place).map(|own| (format!("tenant_{place}"), own.week()));
        let general = || self.own.is_said().then(|| ("tenant".to_owned(), self.own.week()));
        let mut found: Vec<(String, Week)> = country.and_then(named).or_else(general).into_iter().collect();
        found.extend(states.iter().filter_map(|state| named(state)));
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_cannot_be_read_is_strict() {
        let policy = Policy::of(json!({}));
        assert_eq!(policy, Policy::default());
        assert!(policy.on && policy.exempts(Purpose::Conversational) && !policy.exempts(Purpose::Informational));
        assert_eq!(Policy::of(json!({"on": "perhaps"})), Policy::default());
        let kept = serde_json::to_value(&policy).unwrap();
        assert_eq!(kept, json!({"on": true, "exempt": ["conversational"], "outreach": "promotional", "places": {}}));
    }

    #[test]
    fn a_country_has_its_own_hours_instead_and_a_state_beside() {
        let policy = Policy::of(json!({
            "from": "09:00", "to": "18:00",
            "places": {"DE": {"from": "10:00", "days": ["mon"]}, "US-KY": {"from": "10:00"}}
        }));
        let names = |country, states: &[&str]| {
            let states: Vec<String> = states.iter().map(|&s| s.to_owned()).collect();
            policy.own_of(country, &states).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(Some("DE"), &[]), ["tenant_DE"]);
        assert_eq!(names(Some("US"), &["US-KY"]), ["tenant", "tenant_US-KY"]);
        assert_eq!(names(None, &[]), ["tenant"]);
        let german = policy.places["DE"].week();
        assert_eq!((german.0[0], german.0[1]), (Some((600, 1_440)), None));
    }
}
