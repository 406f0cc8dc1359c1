//! Where a text comes from or goes to, as one type. Facts carry E.164 with `+` and short codes as digits; `of` reads those
//! alone. `written` also reads what people write, by the rules of a country where there is no `+`.

use super::{is_e164, is_short_code, plan};

/// Most characters of an alphanumeric sender (GSM 03.40: 11 septets of 7 bits in ten octets of address).
const SENDER: usize = 11;

/// An end of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `+` and 7 to 15 digits.
    E164(String),
    /// 3 to 8 digits, which mean something in one country: two letters of ISO 3166, empty where it is not known.
    ShortCode {
        /// Two capital letters or none.
        country: String,
        /// As they are dialled.
        digits: String,
    },
    /// A name in place of a number, of up to 11 letters and digits: nobody can answer it.
    Alphanumeric(String),
    /// None of these; kept as it came.
    Raw(String),
}

impl Address {
    /// By the forms of the contract; `country` is that of a short code.
    #[must_use]
    pub fn of(text: &str, country: Option<&str>) -> Self {
        if is_e164(text) {
            Self::E164(text.to_owned())
        } else if is_short_code(text) {
            Self::ShortCode { country: country.unwrap_or_default().to_ascii_uppercase(), digits: text.to_owned() }
        } else if is_sender(text) {
            Self::Alphanumeric(text.to_owned())
        } else {
            Self::Raw(text.to_owned())
        }
    }

    /// As people write numbers: spaces, brackets, hyphens; without `+` by the rules of the country. With `+` the country
    /// is never looked at.
    #[must_use]
    pub fn written(text: &str, country: Option<&str>) -> Self {
        let text = text.trim();
        match Self::of(text, country) {
            Self::Raw(_) => plan::e164(text, country).map_or_else(|| Self::Raw(text.to_owned()), Self::E164),
            known => known,
        }
    }

    /// `e164`, `short_code`, `alphanumeric` or `raw`.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Self::E164(_) => "e164",
            Self::ShortCode { .. } => "short_code",
            Self::Alphanumeric(_) => "alphanumeric",
            Self::Raw(_) => "raw",
        }
    }

    /// It is a number: E.164 or a short code.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::E164(_) | Self::ShortCode { .. })
    }
}

/// Letters, digits and what else the field allows in a sender, a letter among them.
fn is_sender(text: &str) -> bool {
    (1..=SENDER).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_.&".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !text.starts_with(' ')
        && !text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e164(text: &str) -> Address {
        Address::E164(text.to_owned())
    }

    #[test]
    fn a_short_code_is_no_number_of_a_country() {
        let code = Address::ShortCode { country: "US".into(), digits: "12345".into() };
        assert_eq!(Address::of("12345", Some("us")), code);
        assert_eq!(Address::written(" 12345 ", Some("US")), code, "not +1 12345");
        assert_eq!(Address::of("12345", None).form(), "short_code");
        assert!(code.is_number());
    }

    #[test]
    fn a_country_is_never_looked_at_where_there_is_a_plus() {
        for (text, number) in [("+5511987654321", "+5511987654321"), ("+55 (11) 98765-4321", "+5511987654321")] {
            assert_eq!(Address::written(text, Some("US")), e164(number));
            assert_eq!(Address::written(text, None), e164(number));
        }
        assert_eq!(Address::written("(212) 555-2368", Some("US")), e164("+12125552368"));
        assert_eq!(Address::written("030 123456", Some("DE")), e164("+4930123456"));
        assert_eq!(Address::written("030 123456", None).form(), "raw");
    }

    #[test]
    fn names_are_senders_and_what_is_none_of_these_is_kept_as_it_came() {
        assert_eq!(Address::of("THREEBEARS", None), Address::Alphanumeric("THREEBEARS".into()));
        for raw in ["LONGER THAN ELEVEN", "", "+", "+12", "123456789", "Bären", " A"] {
            assert_eq!(Address::of(raw, Some("US")), Address::Raw(raw.into()));
        }
    }
}
