//! `part.received`, `part.due` → `sms.received`. Parts are kept as rows until all are there, joined as octets, and only
//! then decoded; past ten minutes what is there goes on, with `[…]` where parts are missing, flagged `incomplete`.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use texthub::facts::due::PartDue;
use texthub::facts::envelope::{Message, Publication, Reason, To, conversation};
use texthub::facts::heard::{PartReceived, SmsReceived};
use texthub::facts::ids::{FactId, Slug};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::entry::storable_json;
use texthub::runtime::worker::{Context, Outcome, Single};
use texthub::sms::joining::rows::{self, Arrived, Looked, Mark};
use texthub::sms::joining::{Bounds, Joined, Key, Piece};
use texthub::sms::number::Address;
use texthub::tenant::point_of_contact;

heard! {
    /// What brings parts together.
    pub enum Parts { PartReceived(PartReceived), PartDue(PartDue) }
}

/// Most octets of a part: far more than any carrier's.
const MOST: usize = 1024;

/// The worker.
pub struct JoinParts;

/// What `sms.received` has of its parts, beside what was written.
#[derive(Serialize, Deserialize)]
struct Fields {
    carrier_sms_id: Option<String>,
    from_country: Option<String>,
    to_country: Option<String>,
    received_at: Timestamp,
    carrier_fields: Option<Value>,
}

impl Single for JoinParts {
    const NAME: &'static str = "join_parts";
    type Fact = Parts;

    async fn handle(&self, tx: &Transaction<'_>, ctx: &Context, message: &Message<Parts>) -> Result<Outcome, Failure> {
        let (key, arrived) = match &message.body {
            Parts::PartReceived(part) => match arrived(tx, message, part).await? {
                Ok((key, arrived)) => (key, Some(arrived)),
                Err(reason) => return Ok(Outcome::Reject(reason)),
            },
            Parts::PartDue(due) => (key(&due.carrier, &due.from, &due.to, due.reference, due.total), None),
        };
        let tenant = match (&message.body, &arrived) {
            (Parts::PartDue(due), _) => due.tenant.clone(),
            (_, Some(arrived)) => arrived.tenant.clone(),
            (Parts::PartReceived(_), None) => return Ok(Outcome::silent()),
        };
        let looked = rows::look(tx, ctx.now, Bounds::default(), &key, arrived).await?;
        if looked.is_repeat {
            metrics::counter!("texthub_repeats_total", "fact" => "part.received").increment(1);
        }
        Ok(Outcome::Done(said(ctx, message, tenant, &key, &looked)))
    }
}

/// A part as a row: whose it is, and what of it is kept.
async fn arrived(
    tx: &Transaction<'_>,
    message: &Message<Parts>,
    part: &PartReceived,
) -> Result<Result<(Key, Arrived), Reason>, Failure> {
    let octets = match check(part) {
        Ok(octets) => octets,
        Err(reason) => return Ok(Err(reason)),
    };
    let country = part.to_country.as_deref().filter(|country| country.len() == 2 && country.is_ascii());
    let Some(point) = point_of_contact::of_numbers(tx, &[(&part.to, country)]).await?.pop().flatten() else {
        let detail = "no point of contact has the number in `to`; apply one that has, then replay";
        return Ok(Err(Reason::new("unknown_number", detail)));
    };
    let fields = Fields {
        carrier_sms_id: part.carrier_sms_id.clone(),
        from_country: part.from_country.clone(),
        to_country: part.to_country.clone(),
        received_at: part.received_at,
        carrier_fields: message.extra.as_ref().and_then(|extra| extra.get("carrier_fields").cloned()),
    };
    let arrived = Arrived {
        id: message.id,
        tenant: point.tenant,
        piece: Piece { part: part.part, encoding: part.alphabet.into(), octets, mark: () },
        fields: storable_json(json!(fields)),
    };
    Ok(Ok((key(&part.carrier, &part.from, &part.to, part.reference, part.total), arrived)))
}

fn key(carrier: &Slug, from: &str, to: &str, reference: u16, total: u8) -> Key {
    let [connector, source, destination] = [carrier.as_str(), from, to].map(str::to_owned);
    Key { connector, source, destination, reference, total }
}

/// The octets of a part that can be kept.
fn check(part: &PartReceived) -> Result<Vec<u8>, Reason> {
    let is_id = |id: &str| id.len() <= 255 && !id.contains('\0');
    for (field, number) in [("from", &part.from), ("to", &part.to)] {
        if !Address::of(number, None).is_number() {
            let detail = format!("`{field}` is no number: send E.164 (+ and 7 to 15 digits) or a short code's digits");
            return Err(Reason::new("bad_number", detail));
        }
    }
    let bad = |detail: &str| Err(Reason::new("bad_part", detail));
    if !part.carrier_sms_id.as_deref().is_none_or(is_id) {
        return bad("`carrier_sms_id` has at most 255 bytes and no NUL");
    }
    if part.total == 0 || part.part == 0 {
        return bad("`part` and `total` count from 1");
    }
    match octets(&part.octets) {
        Some(octets) if octets.len() <= MOST => Ok(octets),
        _ => bad("`octets` are at most 1,024 in hex, two digits each"),
    }
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let octets = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { octets } else { None }
}

/// The texts that are given out, and the timer of those that have just begun to wait.
fn said(ctx: &Context, message: &Message<Parts>, tenant: Slug, key: &Key, looked: &Looked) -> Vec<Publication> {
    let mut said: Vec<Publication> = Vec::new();
    for (ordinal, joined) in (0..).zip(&looked.given) {
        metrics::counter!("texthub_joined_texts_total", "given" => joined.given.as_str()).increment(1);
        said.extend(text(message.id.derive("sms.received", ordinal), ctx.now, joined));
    }
    if let (Some(due_at), Parts::PartReceived(part)) = (looked.due, &message.body) {
        let due = PartDue {
            id: message.id.derive("part.due", 0),
            cause_id: message.id,
            at: ctx.now,
            tenant,
            carrier: part.carrier.clone(),
            from: key.source.clone(),
            to: key.destination.clone(),
            reference: key.reference,
            total: key.total,
            due_at,
        };
        said.push(Publication::of(&due, due.tenant.as_str()).at(due_at));
    }
    said.into_iter().map(|publication| publication.traced(message.traceparent.as_deref())).collect()
}

/// A joined text, as if its carrier had joined it.
fn text(id: FactId, now: Timestamp, joined: &Joined<Mark>) -> Option<Publication> {
    let parts = joined.marks.iter().map(|mark| serde_json::from_value::<Fields>(mark.fields.clone()));
    let parts: Vec<Fields> = parts.filter_map(Result::ok).collect();
    let first = parts.first()?;
    let to_country = first.to_country.clone();
    let scope = conversation(&joined.key.destination, to_country.as_deref().unwrap_or(""), &joined.key.source);
    let fact = SmsReceived {
        id,
        carrier: Slug::new(&joined.key.connector).ok()?,
        carrier_sms_id: first.carrier_sms_id.clone(),
        from: joined.key.source.clone(),
        to: joined.key.destination.clone(),
        from_country: first.from_country.clone(),
        to_country,
        text: joined.text.clone(),
        media: None,
        received_at: parts.iter().map(|part| part.received_at).min().unwrap_or(now),
    };
    let mut publication = Publication { to: To::Work, ..Publication::to_the_hub(&fact, scope) };
    let mut fields: BTreeMap<String, Value> = BTreeMap::new();
    for part in parts.iter().rev() {
        fields.extend(part.carrier_fields.as_ref().and_then(Value::as_object).cloned().unwrap_or_else(Map::new));
    }
    publication.add("carrier_fields", json!(fields));
    let how = json!({"parts": joined.key.total, "missing": joined.missing, "given": joined.given.as_str()});
    publication.add("joined", how);
    Some(publication)
}

#[cfg(test)]
mod tests;
