//! Deliveries as messages: size, type, key, ids and body are checked here, before any transaction. What fails is a
//! reason to set the message aside.

use lapin::message::Delivery;
use uuid::Uuid;

use super::wire::{header_number, header_text};
use crate::facts::envelope::{Decode, MAX_BODY, Message, Reason, digest};
use crate::runtime::trace;

/// How often the broker delivered it before.
#[must_use]
pub fn delivery_count(delivery: &Delivery) -> i64 {
    header_number(&delivery.properties, "x-delivery-count").unwrap_or(i64::from(delivery.redelivered))
}

/// The fact's name: from the type, else the key's first two words.
///
/// # Errors
/// `type_mismatch` where both are there and disagree.
pub fn fact_name(delivery: &Delivery) -> Result<String, Reason> {
    let key = delivery.routing_key.as_str();
    let of_key = key.split('.').take(2).collect::<Vec<_>>().join(".");
    let Some(kind) = delivery.properties.kind().as_ref().map(ToString::to_string).filter(|k| !k.is_empty()) else {
        return Ok(of_key);
    };
    let of_type = kind.strip_suffix(".v1").unwrap_or(&kind).to_owned();
    if of_type == of_key || key.starts_with("retry.") {
        return Ok(of_type);
    }
    let detail = "the type and the routing key name different facts; send type `<fact>.v1` under key `<fact>.<scope>`";
    Err(Reason::new("type_mismatch", detail))
}

/// The key's last part.
fn scope(delivery: &Delivery) -> String {
    delivery.routing_key.as_str().splitn(3, '.').nth(2).unwrap_or_default().to_owned()
}

/// Decodes a delivery.
///
/// # Errors
/// A reason to set it aside.
pub fn decode<F: Decode>(delivery: &Delivery) -> Result<Message<F>, Reason> {
    if delivery.data.len() > MAX_BODY {
        let detail = format!("{} bytes; a body has at most {MAX_BODY}", delivery.data.len());
        return Err(Reason::new("too_large", detail));
    }
    let name = fact_name(delivery)?;
    let fact = F::FACTS.iter().copied().find(|fact| *fact == name);
    let fact = fact.ok_or_else(|| Reason::new("unknown_fact", "this queue's worker hears no such fact"))?;
    let (body, id, extra) = F::decode(fact, &delivery.data)?;
    if let Some(named) = delivery.properties.message_id() {
        let is_same = named.as_str().parse::<Uuid>().is_ok_and(|named| named == id.0);
        if !is_same {
            return Err(Reason::new(
                "id_mismatch",
                "the property message_id and the body's `id` differ; send the same UUID",
            ));
        }
    }
    Ok(Message {
        id,
        fact,
        scope: scope(delivery),
        is_redelivered: delivery.redelivered,
        attempt: header_number(&delivery.properties, "attempt").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        traceparent: Some(
            header_text(&delivery.properties, "traceparent")
                .filter(|given| trace::is_valid(given))
                .unwrap_or_else(|| trace::begin(id)),
        ),
        digest: digest(&delivery.data),
        extra: (!extra.is_empty()).then(|| serde_json::Value::Object(extra)),
        body,
    })
}
