//! Emergency numbers by country: data/emergency.tsv, made by scripts/numbers/data.py. They must never be texted.

use std::collections::HashMap;
use std::sync::LazyLock;

static NUMBERS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = include_str!("data/emergency.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.split_once('\t'))
        .map(|(country, numbers)| (country, numbers.split(',').collect()))
        .collect()
});

/// Whether these digits call for help in that country.
#[must_use]
pub fn is_emergency_in(digits: &str, country: &str) -> bool {
    NUMBERS.get(country).is_some_and(|numbers| numbers.contains(&digits))
}

/// Whether they do in any country.
#[must_use]
pub fn is_emergency(digits: &str) -> bool {
    NUMBERS.values().any(|numbers| numbers.contains(&digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_country_has_its_own() {
        assert!(is_emergency_in("911", "US") && is_emergency_in("999", "GB") && is_emergency_in("110", "DE"));
        assert!(!is_emergency_in("110", "US") && !is_emergency_in("911", "DE"));
        assert!(is_emergency("110") && is_emergency("000") && !is_emergency("12345"));
        assert!(
            NUMBERS.len() > 235 && NUMBERS.values().flatten().all(|n| super::super::is_short_code(n) || n.len() == 2)
        );
    }
}
