//! What a part of a text costs by a connection, as its price list in the tenant file says: decimals in whole millionths,
//! never floats. A price is an estimate of the operator's own; the carrier's bill counts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::number::plan;

/// Millionths of one.
const MILLION: i64 = 1_000_000;
/// Most that a part may cost, in whole units of its currency.
const MOST: i64 = 1_000_000;

/// An amount in a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// In millionths.
    pub micros: i64,
    /// Three letters of ISO 4217.
    pub currency: String,
}

impl FromStr for Price {
    type Err = &'static str;

    /// `0.0079 USD`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (amount, currency) = text.split_once(' ').ok_or("write an amount and a currency")?;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err("the currency has three capital letters");
        }
        let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
        let digits =
            |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 7) || !digits(part, 6) {
            return Err("the amount is a decimal with at most six places");
        }
        let read = |text: &str| text.parse::<i64>().unwrap_or(0);
        let micros = read(whole) * MILLION + read(&format!("{part:0<6}"));
        if micros > MOST * MILLION {
            return Err("a part costs at most a million");
        }
        Ok(Self { micros, currency: currency.to_owned() })
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.micros / MILLION, format!("{:06}", self.micros % MILLION));
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole} {}", self.currency),
            part => write!(f, "{whole}.{part} {}", self.currency),
        }
    }
}

impl Price {
    /// Of so many parts.
    #[must_use]
    pub fn times(&self, parts: usize) -> Self {
        let parts = i64::try_from(parts).unwrap_or(i64::MAX);
        Self { micros: self.micros.saturating_mul(parts), currency: self.currency.clone() }
    }
}

/// A price list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    elsewhere: Option<Price>,
    by_country: BTreeMap<String, Price>,
}

impl Prices {
    /// By a connection's settings, which were judged when they were applied: `price_per_part`, and `prices` by country.
    #[must_use]
    pub fn of(settings: &Map<String, Value>) -> Self {
        let price = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let countries = settings.get("prices").and_then(Value::as_object).into_iter().flatten();
        Self {
            elsewhere: settings.get("price_per_part").and_then(price),
            by_country: countries.filter_map(|(country, value)| Some((country.clone(), price(value)?))).collect(),
        }
    }

    /// Of a part to this number: its country's by the numbering plan, else the one for everywhere else.
    #[must_use]
    pub fn of_part(&self, to: &str) -> Option<&Price> {
        let of_country = || self.by_country.get(&plan::of(to)?.country?);
        let named = if self.by_country.is_empty() { None } else { of_country() };
        named.or(self.elsewhere.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_decimals_to_the_last_place() {
        for (text, micros, shown) in [
            ("0.0079 USD", 7_900, "0.0079 USD"),
            ("0.07 EUR", 70_000, "0.07 EUR"),
            ("1 JPY", 1_000_000, "1 JPY"),
            ("12.500000 SEK", 12_500_000, "12.5 SEK"),
            ("0.000001 USD", 1, "0.000001 USD"),
            ("0 USD", 0, "0 USD"),
        ] {
            assert_eq!((price(text).micros, price(text).to_string().as_str()), (micros, shown));
        }
        assert_eq!(price("0.0079 USD").times(3).to_string(), "0.0237 USD");
        assert_eq!(price("0.1 USD").times(3), price("0.3 USD"), "no float");
        for wrong in [
            "0.0079",
            "USD",
            "0,07 EUR",
            "-1 USD",
            "0.0000001 USD",
            "1. USD",
            ".1 USD",
            "1 usd",
            "1 EURO",
            "1e3 USD",
            "99999999 USD",
            "1000000.000001 USD",
            "1  USD",
            "",
            "١ USD",
        ] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_country_has_its_own_price_and_all_others_the_common_one() {
        let list = json!({"price_per_part": "0.05 USD", "prices": {"US": "0.0079 USD", "DE": "0.07 EUR"}});
        let prices = Prices::of(list.as_object().unwrap());
        let of = |to: &str| prices.of_part(to).map(ToString::to_string);
        assert_eq!(of("+12125552368").as_deref(), Some("0.0079 USD"));
        assert_eq!(of("+4915112345678").as_deref(), Some("0.07 EUR"));
        assert_eq!(of("+14165550123").as_deref(), Some("0.05 USD"), "Canada shares the calling code, not the price");
        assert_eq!(of("12345").as_deref(), Some("0.05 USD"));
        let alone = json!({"prices": {"US": "0.0079 USD"}});
        assert_eq!(Prices::of(alone.as_object().unwrap()).of_part("+4915112345678"), None);
        assert_eq!(Prices::default().of_part("+12125552368"), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_the_same(micros in 0..=1_000_000_000_000_i64, parts in 0..2_000_usize) {
            let price = Price { micros, currency: "USD".to_owned() };
            prop_assert_eq!(price.to_string().parse::<Price>(), Ok(price.clone()));
            prop_assert_eq!(price.times(parts).micros, micros * i64::try_from(parts).unwrap());
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,20}|[0-9. A-Z]{0,16}") {
            let _ = text.parse::<Price>();
        }
    }
}
