//! Which kind of number works in which country by which kind of carrier, and the calling codes: data (rules.json, whose
//! sources docs/numbers.md names; data/countries.tsv, made by scripts/countries.py). Nothing is asked of a carrier here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What a kind of number can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It sends alone: customers cannot answer, so it is no point of contact.
    OneWay,
    /// It sends and receives.
    TwoWay,
}

/// Kinds of numbers (`long`, `toll_free`, `short`, `alphanumeric`) and what each can do; what is not there cannot be used.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Rule(BTreeMap<String, Way>);

impl Rule {
    /// What a kind can do, where it can be used at all.
    #[must_use]
    pub fn way(&self, kind: &str) -> Option<Way> {
        self.0.get(kind).copied()
    }

    /// The kinds that send and receive.
    #[must_use]
    pub fn two_way(&self) -> Vec<&str> {
        // in the order in which people think of them
        ["long", "toll_free", "short"].into_iter().filter(|kind| self.way(kind) == Some(Way::TwoWay)).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
struct Rules {
    elsewhere: Rule,
    countries: BTreeMap<String, Rule>,
    /// By kind of carrier, then country: instead of what stands above.
    carriers: BTreeMap<String, BTreeMap<String, Rule>>,
    short_code_digits: BTreeMap<String, (usize, usize)>,
}

/// A country of ISO 3166.
#[derive(Clone, Copy, Debug)]
pub struct Country {
    /// Two letters.
    pub id: &'static str,
    /// Digits after the `+`.
    pub calling_code: &'static str,
    /// In English.
    pub name: &'static str,
}

// that both can be read is a test's business
static RULES: LazyLock<Rules> = LazyLock::new(|| serde_json::from_str(include_str!("rules.json")).unwrap_or_default());
static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| {
    let rows = include_str!("data/countries.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut cells = row.split('\t');
        Some(Country { id: cells.next()?, calling_code: cells.next()?, name: cells.next()? })
    })
    .collect()
});

/// The country of two capital letters.
#[must_use]
pub fn country(id: &str) -> Option<Country> {
    COUNTRIES.iter().find(|country| country.id == id).copied()
}

/// All countries, by their letters.
#[must_use]
pub fn countries() -> &'static [Country] {
    &COUNTRIES
}

/// What a country allows by a kind of carrier (`aws`), and whether that is the carrier's own rule.
#[must_use]
pub fn rule(carrier: Option<&str>, country: &str) -> (&'static Rule, bool) {
    let own = carrier.and_then(|carrier| RULES.carriers.get(carrier)).and_then(|rules| rules.get(country));
    let general = || RULES.countries.get(country).unwrap_or(&RULES.elsewhere);
    own.map_or_else(|| (general(), false), |rule| (rule, true))
}

/// Fewest and most digits of a country's short codes.
#[must_use]
pub fn short_code_digits(country: &str) -> (usize, usize) {
    RULES.short_code_digits.get(country).copied().unwrap_or((3, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_can_be_read() {
        assert_eq!(rule(None, "US").0.two_way(), ["long", "toll_free", "short"]);
        assert_eq!(short_code_digits("CA"), (5, 6));
        assert_eq!(rule(Some("simulator"), "DE").0.two_way(), ["long"]);
        assert_eq!(rule(None, "DE").0.way("alphanumeric"), Some(Way::OneWay));
        assert_eq!(rule(Some("aws"), "DO").0.two_way(), ["short"]);
        assert_eq!(rule(Some("aws"), "CA").0.way("toll_free"), None);
        assert!(rule(Some("aws"), "CA").1 && !rule(Some("aws"), "US").1);
        assert_eq!(country("DE").map(|c| (c.calling_code, c.name)), Some(("49", "Germany")));
        assert!(countries().len() > 240 && country("UK").is_none());
        let named = RULES.countries.keys().chain(RULES.carriers.values().flat_map(BTreeMap::keys));
        let mut named = named.chain(RULES.short_code_digits.keys());
        assert!(named.all(|id| country(id).is_some()), "rules for countries that are none");
    }
}
