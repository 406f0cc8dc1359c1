//! What is around a fact's body: its name, id, routing key, headers and size; decoding one that was heard, and
//! building one to say. It knows no fact in particular.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::heard::Hearable;
use super::ids::FactId;

/// The largest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A stable word why something was set aside or refused, and a sentence for people (never with texts or full numbers).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word}: {detail}")]
pub struct Reason {
    /// From a closed list: add, never rename.
    pub word: &'static str,
    /// What to do about it.
    pub detail: String,
}

impl Reason {
    /// A reason in a word and a sentence.
    pub fn new(word: &'static str, detail: impl Into<String>) -> Self {
        Self { word, detail: detail.into() }
    }
}

/// One heard message, decoded.
#[derive(Clone, Debug)]
pub struct Message<F> {
    /// `id` of the body.
    pub id: FactId,
    /// Its fact's name, e.g. `sms.received`.
    pub fact: &'static str,
    /// The routing key's last part; empty where the producer left it out. It holds numbers: never log it.
    pub scope: String,
    /// Delivered before, to this or another process.
    pub is_redelivered: bool,
    /// Tries before this one (0 first), counted by our own header on later tries.
    pub attempt: u32,
    /// W3C trace context, where the producer sent one.
    pub traceparent: Option<String>,
    /// First 16 bytes of SHA-256 over the body's JSON with sorted keys, so that spacing and order do not matter.
    pub digest: Vec<u8>,
    /// Fields of the body that its fact does not know; kept as received.
    pub extra: Option<Value>,
    /// The decoded body.
    pub body: F,
}

/// A body that can be decoded by its fact's name; made by the `heard!` macro.
pub trait Decode: Sized + Send + Sync {
    /// The names it knows.
    const FACTS: &'static [&'static str];
    /// The body, its id, and what it did not know.
    ///
    /// # Errors
    /// A reason to set it aside.
    fn decode(fact: &str, body: &[u8]) -> Result<(Self, FactId, Map<String, Value>), Reason>;
}

/// Digest of a body: see [`Message::digest`]. Of a fact that the hub says (it has a `cause_id`) the time of saying does
/// not count, nor when a timer is due: said again after a crash it is the same fact. Nor do, of what
/// the gateway read from a carrier's request (it has `carrier_fields`), these and the time: the carrier's repeat comes later;
/// nor, of what it was asked by a desk (it has `asked_by`), the time.
#[must_use]
pub fn digest(body: &[u8]) -> Vec<u8> {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut pairs: Vec<_> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(pairs.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    let canonical = serde_json::from_slice::<Value>(body).map(|mut value| {
        if let Value::Object(fields) = &mut value
            && fields.contains_key("cause_id")
        {
            fields.remove("at");
            fields.remove("due_at");
        }
        if let Value::Object(fields) = &mut value
            && fields.contains_key("carrier_fields")
        {
            for field in ["received_at", "reported_at", "carrier_fields"] {
                fields.remove(field);
            }
        }
        if let Value::Object(fields) = &mut value
            && fields.contains_key("asked_by")
        {
            for field in ["written_at", "moved_at"] {
                fields.remove(field);
            }
        }
        sorted(value).to_string().into_bytes()
    });
    Sha256::digest(canonical.as_deref().unwrap_or(body))[..16].to_vec()
}

/// A fact as the contract describes it.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// `sms.received` and the like.
    pub name: &'static str,
    /// Where it is published.
    pub to: To,
    /// Its body's schema; what it shares with others goes to the generator's definitions.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// Reads a body and writes it again: equal where the type knows every field of it.
    pub through: fn(serde_json::Value) -> Result<serde_json::Value, serde_json::Error>,
}

/// Where a publication goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// `texthub.work`: what a worker must hear; mandatory, confirmed.
    Work,
    /// `texthub`: what desks and programs hear; no listener is normal.
    Announce,
    /// Both.
    Both,
}

/// A fact that the code can say or hear.
pub trait Fact: Serialize {
    /// `entry.appended` and the like.
    const NAME: &'static str;
    /// Who must hear it.
    const TO: To;
    /// The body's `id`.
    fn id(&self) -> FactId;
    /// What caused it, for `correlation_id`.
    fn cause(&self) -> FactId;
}

/// A fact to say: returned by workers, published by the runner after commit.
/// Its JSON form (body as an object) is what `heard.said` remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// `message_id` and the body's `id`.
    pub id: FactId,
    /// The fact's name.
    pub fact: Cow<'static, str>,
    /// The tenant or the conversation.
    pub scope: String,
    /// JSON object.
    #[serde(with = "json_bytes")]
    pub body: Vec<u8>,
    /// Which exchange.
    pub to: To,
    /// Not before this: up the ladder first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// `correlation_id`.
    pub cause: FactId,
    /// Carried over from the message that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Publication {
    /// A fact to say now, scoped to a tenant or a conversation.
    ///
    #[must_use]
    pub fn of<F: Fact>(fact: &F, scope: impl Into<String>) -> Self {
        let body = serde_json::to_vec(fact).unwrap_or_else(|error| unreachable!("our own body: {error}"));
        Self {
            id: fact.id(),
            fact: Cow::Borrowed(F::NAME),
            scope: scope.into(),
            body,
            to: F::TO,
            due: None,
            cause: fact.cause(),
            traceparent: None,
        }
    }

    /// A fact said to the hub from outside (a carrier, the gateway, a program), published to `texthub`.
    #[must_use]
    pub fn to_the_hub<F: Hearable + Serialize>(fact: &F, scope: impl Into<String>) -> Self {
        let body = serde_json::to_vec(fact).unwrap_or_else(|error| unreachable!("our own body: {error}"));
        Self {
            id: fact.id(),
            fact: Cow::Borrowed(F::NAME),
            scope: scope.into(),
            body,
            to: To::Announce,
            due: None,
            cause: fact.id(),
            traceparent: None,
        }
    }

    /// A field more in the body, where it is an object: what its fact does not know is kept as received.
    pub fn add(&mut self, field: &str, value: serde_json::Value) {
        if let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(&self.body) {
            body.insert(field.to_owned(), value);
            self.body = Value::Object(body).to_string().into_bytes();
        }
    }

    /// The same, to arrive at `due` by the ladder of waits.
    #[must_use]
    pub fn at(mut self, due: Timestamp) -> Self {
        self.due = Some(due);
        self
    }

    /// The same, with the trace of the message that caused it.
    #[must_use]
    pub fn traced(mut self, traceparent: Option<&str>) -> Self {
        self.traceparent = traceparent.map(str::to_owned);
        self
    }
}

/// Bodies as JSON objects within JSON.
mod json_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(body: &[u8], to: S) -> Result<S::Ok, S::Error> {
        serde_json::from_slice::<Value>(body).map_err(ser::Error::custom)?.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        serde_json::to_vec(&Value::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The scope of a conversation by SMS: digits of our number and the customer's; `<cc>.12345` for a short code.
#[must_use]
pub fn conversation(our_number: &str, our_country: &str, customer_number: &str) -> String {
    let digits = |n: &str| n.chars().filter(char::is_ascii_digit).collect::<String>();
    let ours = if our_country.is_empty() {
        digits(our_number)
    } else {
        format!("{}.{}", our_country.to_ascii_lowercase(), digits(our_number))
    };
    format!("{ours}-{}", digits(customer_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_spacing_do_not_change_a_digest_but_content_does() {
        assert_eq!(digest(br#"{"id":"1","text":"a"}"#), digest(br#"{ "text" : "a", "id":"1" }"#));
        assert_ne!(digest(br#"{"id":"1","text":"a"}"#), digest(br#"{"id":"1","text":"b"}"#));
        assert_ne!(digest(br#"{"id":"1","at":"a"}"#), digest(br#"{"id":"1","at":"b"}"#));
    }

    #[test]
    fn a_carriers_repeat_is_the_same_fact_whenever_it_comes() {
        let of = |body: &[u8]| digest(body);
        let first = of(br#"{"text":"t","received_at":"1","carrier_fields":{}}"#);
        assert_eq!(first, of(br#"{"text":"t","received_at":"2","carrier_fields":{"a":"b"}}"#));
        assert_ne!(first, of(br#"{"text":"u","received_at":"1","carrier_fields":{}}"#));
        assert_ne!(of(br#"{"text":"t","received_at":"1"}"#), of(br#"{"text":"t","received_at":"2"}"#));
    }

    #[test]
    fn a_desks_repeat_is_the_same_command_whenever_it_comes() {
        let of = |at: &str, text: &str| {
            digest(format!(r#"{{"id":"1","text":"{text}","written_at":"{at}","asked_by":"baby-bear"}}"#).as_bytes())
        };
        assert_eq!(of("1", "a"), of("2", "a"));
        assert_ne!(of("1", "a"), of("1", "b"));
    }

    #[test]
    fn what_the_hub_says_again_later_is_the_same_fact() {
        assert_eq!(digest(br#"{"id":"1","cause_id":"2","at":"a"}"#), digest(br#"{"id":"1","cause_id":"2","at":"b"}"#));
    }

    #[test]
    fn a_short_code_keeps_its_country_in_the_scope() {
        assert_eq!(conversation("+15550100001", "", "+15550199999"), "15550100001-15550199999");
        assert_eq!(conversation("12345", "US", "+15550199999"), "us.12345-15550199999");
    }
}
