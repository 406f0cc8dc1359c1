//! How a text leaves by a connection: as it was written or, where the connection's `smart_encoding` is on, as smart
//! encoding writes it; in how many parts, and what they cost by its price list. Pure; both texts are kept.

use serde_json::{Map, Value};

use super::encoding::{self, Encoding};
use super::price::{Price, Prices};
use super::smart;

/// What a connection does to texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Smart encoding is on.
    pub is_smart: bool,
    /// Its price list.
    pub prices: Prices,
}

/// A text as it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Where it is another text than the one written.
    pub sent: Option<String>,
    /// As the network carries it.
    pub encoding: Encoding,
    /// As the network counts them.
    pub parts: usize,
    /// Of all parts, where there is a price.
    pub price: Option<Price>,
}

impl Manner {
    /// By a connection's settings.
    #[must_use]
    pub fn of(settings: &Map<String, Value>) -> Self {
        let is_smart = settings.get("smart_encoding").and_then(Value::as_bool).unwrap_or(false);
        Self { is_smart, prices: Prices::of(settings) }
    }

    /// A text to this number as it leaves.
    #[must_use]
    pub fn leaving(&self, text: &str, to: &str) -> Leaving {
        let smart = self.is_smart.then(|| smart::smart(text).sent.into_owned()).filter(|sent| sent != text);
        let cut = encoding::parts(smart.as_deref().unwrap_or(text));
        let (encoding, parts) = (cut.encoding, cut.parts.len());
        Leaving { price: self.prices.of_part(to).map(|price| price.times(parts)), encoding, parts, sent: smart }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leaving(settings: &Value, text: &str) -> Leaving {
        Manner::of(settings.as_object().unwrap()).leaving(text, "+12125552368")
    }

    #[test]
    fn a_smart_connection_writes_look_alikes_and_leaves_links_and_codes_alone() {
        let on = json!({"smart_encoding": true, "price_per_part": "0.0079 USD"});
        let text = format!("it’s {}", "a".repeat(80));
        let (with, without) = (leaving(&on, &text), leaving(&json!({"price_per_part": "0.0079 USD"}), &text));
        assert_eq!((with.sent, with.encoding, with.parts), (Some(text.replace('’', "'")), Encoding::Gsm7, 1));
        assert_eq!((without.sent, without.encoding, without.parts), (None, Encoding::Ucs2, 2));
        assert_eq!(
            (with.price.unwrap().to_string(), without.price.unwrap().to_string()),
            ("0.0079 USD".into(), "0.0158 USD".into())
        );
        for text in ["it’s https://mill.example/a–b", "it’s your code: 123456", "it’s fine 😀", "it's fine"] {
            assert_eq!(leaving(&on, text).sent, None, "{text}");
        }
    }
}
