//! Which kind of number works in which country, and the calling codes: data (rules.json, data/countries.tsv, made by
//! scripts/countries.py). Nothing is asked of a carrier here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What a country allows.
#[derive(Debug, Default, Deserialize)]
pub struct Rule {
    /// Kinds of numbers: `long`, `toll_free`, `short`.
    pub kinds: Vec<String>,
    /// Fewest and most digits of a short code.
    #[serde(default)]
    pub short_code_digits: Option<(usize, usize)>,
}

#[derive(Debug, Default, Deserialize)]
struct Rules {
    elsewhere: Rule,
    countries: BTreeMap<String, Rule>,
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

/// What a country allows.
#[must_use]
pub fn rule(country: &str) -> &'static Rule {
    RULES.countries.get(country).unwrap_or(&RULES.elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_can_be_read() {
        assert_eq!(rule("US").kinds, ["long", "toll_free", "short"]);
        assert_eq!(rule("CA").short_code_digits, Some((5, 6)));
        assert_eq!(rule("DE").kinds, ["long"]);
        assert_eq!(country("DE").map(|c| (c.calling_code, c.name)), Some(("49", "Germany")));
        assert!(countries().len() > 240 && country("UK").is_none());
        assert!(RULES.countries.keys().all(|id| country(id).is_some()), "rules for countries that are none");
    }
}
