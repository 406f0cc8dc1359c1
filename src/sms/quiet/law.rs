//! Quiet hours of the law, as data: hours.json, each rule with its place (a country, or a state as `US-FL`), the purposes it
//! is about, its week and its source. Not all the law there is: docs/quiet-hours.md says what is not in it.

use std::sync::LazyLock;

use serde::Deserialize;

use super::week::{Week, span};
use crate::facts::purpose::Purpose;

/// One rule.
#[derive(Debug, Deserialize)]
pub struct Rule {
    /// Stands in decisions: add, never rename.
    pub id: String,
    /// Where it holds.
    pub places: Vec<String>,
    /// For which texts.
    pub purposes: Vec<Purpose>,
    /// `08:00-21:00` for all days, or one for each, Monday first.
    week: Vec<String>,
    /// Where it says so.
    pub source: String,
}

impl Rule {
    /// When texts may arrive.
    #[must_use]
    pub fn week(&self) -> Week {
        let of = |day: usize| self.week.get(day).or(self.week.first()).and_then(|text| span(text));
        Week(std::array::from_fn(of))
    }
}

// that it can be read is a test's business
static RULES: LazyLock<Vec<Rule>> =
    LazyLock::new(|| serde_json::from_str(include_str!("hours.json")).unwrap_or_default());

/// All rules.
#[must_use]
pub fn rules() -> &'static [Rule] {
    &RULES
}

/// The rules of these places for texts of this purpose. With `whole`, those of every state of that country too: nobody
/// knows in which one the number is.
pub fn of<'a>(
    places: &'a [String],
    whole: Option<&'a str>,
    purpose: Purpose,
) -> impl Iterator<Item = &'static Rule> + 'a {
    let is_in = move |place: &String| {
        let in_whole = |country: &str| place.split_once('-').is_some_and(|(of, _)| of == country);
        places.contains(place) || whole.is_some_and(in_whole)
    };
    RULES.iter().filter(move |rule| rule.purposes.contains(&purpose) && rule.places.iter().any(is_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_read_and_has_a_source() {
        assert_eq!(RULES.len(), 9);
        for rule in rules() {
            assert!(rule.week.len() == 1 || rule.week.len() == 7, "{}", rule.id);
            assert!(rule.week().0.iter().all(Option::is_some) && !rule.source.is_empty(), "{}", rule.id);
            let country = |place: &String| crate::tenant::rules::country(place.split('-').next().unwrap_or_default());
            assert!(rule.places.iter().all(|place| country(place).is_some()), "{}", rule.id);
        }
        let federal: Vec<&str> = of(&["US".into()], None, Purpose::Promotional).map(|r| r.id.as_str()).collect();
        assert_eq!(federal, ["us_federal"]);
        assert_eq!(of(&["US".into()], Some("US"), Purpose::Promotional).count(), 9);
        assert_eq!(of(&["US".into()], Some("US"), Purpose::Informational).count(), 0);
    }
}
