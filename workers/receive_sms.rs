//! sms.received, chat.received, chat.left → room, entry, contact, consent, deadline. A text to an unknown number or a
//! disabled tenant is set aside with its reason; a repeat finds its own rows and says the same again. It never waits
//! for a free agent: routing is another worker's.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use texthub::facts::envelope::{Message, Reason};
use texthub::facts::heard::{ChatLeft, ChatReceived, SmsReceived};
use texthub::facts::ids::{FactId, Slug};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::entry::{self, storable, storable_json};
use texthub::hub::inbound::{self, Arrival, Kind};
use texthub::hub::memory::{self, Seen};
use texthub::hub::room::{Ends, Room};
use texthub::hub::sender::{self, Withheld};
use texthub::hub::sql;
use texthub::runtime::worker::{Context, Outcome, Worker};
use texthub::sms::number::Address;
use texthub::sms::{joining, keywords};
use texthub::tenant::point_of_contact::{self, PointOfContact};

heard! {
    /// What customers and visitors do.
    pub enum Inbound { SmsReceived(SmsReceived), ChatReceived(ChatReceived), ChatLeft(ChatLeft) }
}

/// The worker.
pub struct ReceiveSms;

impl Worker for ReceiveSms {
    const NAME: &'static str = "receive_sms";
    const PARTITIONED: bool = true;
    type Fact = Inbound;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Inbound>],
    ) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        let arrivals = address(tx, ctx.now, batch, &mut outcomes).await?;
        let (fresh, twins, rooms) = recall(tx, ctx.now, batch, arrivals, &mut outcomes).await?;
        let is_blocked = |arrival: &Arrival| arrival.withheld == Some(Withheld::Blocked);
        let (blocked, fresh): (Vec<Arrival>, Vec<Arrival>) = fresh.into_iter().partition(is_blocked);
        inbound::record_blocked(tx, ctx.now, &blocked).await?;
        let (mut set_aside, mut rooms) = (Vec::<FactId>::new(), Some(rooms));
        for wave in inbound::waves(fresh) {
            for (index, fate) in inbound::record(tx, ctx.now, &wave, rooms.take()).await? {
                outcomes[index] = Some(match fate {
                    Ok(recorded) => {
                        if recorded.is_kept {
                            memory::keep_said(tx, Self::NAME, batch[index].id, "recorded", &recorded.said).await?;
                        }
                        Outcome::Done(recorded.said)
                    }
                    Err(reason) => {
                        set_aside.push(batch[index].id);
                        Outcome::Reject(reason)
                    }
                });
            }
        }
        for (index, first) in twins {
            let answer = outcomes[first].clone();
            if matches!(answer, Some(Outcome::Reject(_))) {
                set_aside.push(batch[index].id);
            }
            outcomes[index] = answer;
        }
        if !set_aside.is_empty() {
            memory::forget(tx, Self::NAME, &set_aside).await?;
            forget_carrier_ids(tx, batch, &set_aside).await?;
        }
        Ok(outcomes.into_iter().map(|o| o.unwrap_or_else(Outcome::silent)).collect())
    }
}

/// To which point of contact each message goes; what cannot be addressed is set aside.
async fn address(
    tx: &Transaction<'_>,
    now: Timestamp,
    batch: &[Message<Inbound>],
    outcomes: &mut [Option<Outcome>],
) -> Result<Vec<Arrival>, Failure> {
    let mut numbers: Vec<(&str, Option<&str>)> = Vec::new();
    let mut slugs: Vec<(&Slug, &Slug)> = Vec::new();
    for message in batch {
        match &message.body {
            // what is no number is not asked for: `arrival` sets it aside
            Inbound::SmsReceived(sms) if is_number(&sms.to) => numbers.push((&sms.to, country(sms))),
            Inbound::SmsReceived(_) => {}
            Inbound::ChatReceived(chat) => slugs.push((&chat.tenant, &chat.point_of_contact)),
            Inbound::ChatLeft(left) => slugs.push((&left.tenant, &left.point_of_contact)),
        }
    }
    let (numbers, slugs) = (distinct(numbers), distinct(slugs));
    let by_number: HashMap<_, _> =
        numbers.iter().copied().zip(point_of_contact::of_numbers(tx, &numbers).await?).collect();
    let by_slug: HashMap<_, _> = if slugs.is_empty() {
        HashMap::new()
    } else {
        slugs.iter().copied().zip(point_of_contact::of_slugs(tx, &slugs).await?).collect()
    };
    let mut arrivals = Vec::with_capacity(batch.len());
    for (index, message) in batch.iter().enumerate() {
        let found = match &message.body {
            Inbound::SmsReceived(sms) => by_number.get(&(sms.to.as_str(), country(sms))),
            Inbound::ChatReceived(chat) => by_slug.get(&(&chat.tenant, &chat.point_of_contact)),
            Inbound::ChatLeft(left) => by_slug.get(&(&left.tenant, &left.point_of_contact)),
        };
        match arrival(now, index, message, found.and_then(Option::as_ref)) {
            Ok(arrival) => arrivals.push(arrival),
            Err(reason) => outcomes[index] = Some(Outcome::Reject(reason)),
        }
    }
    Ok(arrivals)
}

fn distinct<T: Ord + Copy>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

fn arrival(
    now: Timestamp,
    index: usize,
    message: &Message<Inbound>,
    point: Option<&PointOfContact>,
) -> Result<Arrival, Reason> {
    let (text, customer, received_at, media) = match &message.body {
        Inbound::SmsReceived(sms) => {
            check_number("from", &sms.from)?;
            check_number("to", &sms.to)?;
            check_carrier_id(sms)?;
            (sms.text.as_str(), &sms.from, sms.received_at, sms.media.as_ref())
        }
        Inbound::ChatReceived(chat) => (chat.text.as_str(), visitor(&chat.visitor)?, chat.received_at, None),
        Inbound::ChatLeft(left) => {
            (left.text.as_deref().unwrap_or_default(), visitor(&left.visitor)?, left.received_at, None)
        }
    };
    let point = point.ok_or_else(|| match &message.body {
        Inbound::SmsReceived(_) => {
            Reason::new("unknown_number", "no point of contact has the number in `to`; apply one that has, then replay")
        }
        _ => Reason::new(
            "unknown_point_of_contact",
            "this tenant has no such point of contact for chat; apply one, then replay",
        ),
    })?;
    let is_sms = matches!(message.body, Inbound::SmsReceived(_));
    if point.is_ambiguous {
        let detail = "this short code is in use in several countries; name the one in `to_country`, as US";
        return Err(Reason::new("ambiguous_number", detail));
    }
    if is_sms && !point.sms_messaging {
        return Err(Reason::new("disabled_tenant", "SMS messaging is off for this tenant; switch it on, then replay"));
    }
    let (text, mut flags) = storable(text);
    let kind = match &message.body {
        Inbound::SmsReceived(_) => keywords::keyword(&text, customer).map_or(Kind::Text, Kind::Keyword),
        Inbound::ChatReceived(_) => Kind::Text,
        Inbound::ChatLeft(_) => Kind::Left,
    };
    if joining::is_incomplete(message.extra.as_ref()) {
        flags = Some(entry::flagged(flags, joining::INCOMPLETE));
    }
    if kind == Kind::Text && is_sms && keywords::is_near_miss(&text, customer) {
        flags = Some(entry::flagged(flags, keywords::MAYBE_OPT_OUT));
    }
    Ok(Arrival {
        index,
        id: message.id,
        ends: Ends {
            tenant: point.tenant.clone(),
            channel: point.channel.clone(),
            our_number: if is_sms { point.number.clone() } else { point.id.as_str().to_owned() },
            our_country: point.number_country.clone(),
            customer_number: customer.clone(),
        },
        point: point.clone(),
        text,
        flags,
        media: media.and_then(|links| serde_json::to_value(links).ok()).map(storable_json),
        received_at: received_at.min(now),
        traceparent: message.traceparent.clone(),
        kind,
        withheld: None,
    })
}

fn is_number(number: &str) -> bool {
    Address::of(number, None).is_number()
}

/// The country of a short code, where the carrier names one that can be.
fn country(sms: &SmsReceived) -> Option<&str> {
    sms.to_country.as_deref().filter(|country| country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn check_carrier_id(sms: &SmsReceived) -> Result<(), Reason> {
    let is_fine = sms.carrier_sms_id.as_deref().is_none_or(|id| id.len() <= 255 && !id.contains('\0'));
    let bad = || Reason::new("bad_carrier_sms_id", "`carrier_sms_id` has at most 255 bytes and no NUL");
    if is_fine { Ok(()) } else { Err(bad()) }
}

fn check_number(field: &str, number: &str) -> Result<(), Reason> {
    if is_number(number) {
        return Ok(());
    }
    Err(Reason::new(
        "bad_number",
        format!("`{field}` is no number: send E.164 (+ and 7 to 15 digits) or a short code's digits"),
    ))
}

fn visitor(name: &String) -> Result<&String, Reason> {
    let is_fine =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_fine {
        Ok(name)
    } else {
        Err(Reason::new("bad_visitor", "`visitor` has 1 to 64 of letters, digits, _ and -"))
    }
}

/// Leaves what was not heard before; repeats (of the fact's id, or of the carrier's) say what was said then. A carrier's
/// repeat whose first one is in this batch, too, comes beside: it is to get the same answer. The open rooms of all come,
/// locked in the same round trip.
async fn recall(
    tx: &Transaction<'_>,
    now: Timestamp,
    batch: &[Message<Inbound>],
    arrivals: Vec<Arrival>,
    outcomes: &mut [Option<Outcome>],
) -> Result<(Vec<Arrival>, Vec<(usize, usize)>, Vec<Room>), Failure> {
    if arrivals.is_empty() {
        return Ok((arrivals, Vec::new(), Vec::new()));
    }
    let messages: Vec<&Message<Inbound>> = arrivals.iter().map(|a| &batch[a.index]).collect();
    let tenants: Vec<Option<&Slug>> = arrivals.iter().map(|a| Some(&a.ends.tenant)).collect();
    let named = CarrierIds::of(messages.iter().copied());
    let (seen, noted, rooms, standings) = tokio::try_join!(
        biased;
        memory::remember(tx, now, ReceiveSms::NAME, &messages, &tenants),
        note_carrier_ids(tx, now, &named),
        inbound::lock_rooms(tx, &arrivals),
        sender::standings(tx, &arrivals),
    )?;
    let (mut again, mut reused): (Vec<(usize, FactId)>, Vec<FactId>) = (Vec::new(), Vec::new());
    let is_noted_before = noted.len() < named.ids.len();
    let mut fresh: Vec<Arrival> = Vec::with_capacity(arrivals.len());
    for (arrival, seen) in arrivals.into_iter().zip(seen) {
        match seen {
            Seen::Fresh => fresh.push(arrival),
            Seen::Reused => {
                // what the first one of its id was called stays known
                reused.extend(Some(arrival.id).filter(|id| noted.contains(id)));
                outcomes[arrival.index] = Some(Outcome::Reject(memory::reused()));
            }
            Seen::Repeat { said: Some(said), .. } => outcomes[arrival.index] = Some(Outcome::Done(said)),
            Seen::Repeat { first_id, .. } => again.push((arrival.index, first_id.unwrap_or(arrival.id))),
        }
    }
    if !reused.is_empty() {
        forget_carrier_ids(tx, batch, &reused).await?;
    }
    let mut firsts = if is_noted_before { carrier_repeats(tx, &named).await? } else { HashMap::new() };
    firsts.retain(|id, _| fresh.iter().any(|arrival| arrival.id == *id));
    let repeats: Vec<(FactId, FactId)> =
        fresh.iter().filter_map(|a| firsts.get(&a.id).map(|first| (a.id, *first))).collect();
    if !repeats.is_empty() {
        memory::mark_repeats(tx, ReceiveSms::NAME, &repeats).await?;
    }
    let (again_too, mut fresh): (Vec<Arrival>, Vec<Arrival>) =
        fresh.into_iter().partition(|a| firsts.contains_key(&a.id));
    sender::mark(&mut fresh, &standings);
    let places: HashMap<FactId, usize> = fresh.iter().map(|a| (a.id, a.index)).collect();
    let mut twins: Vec<(usize, usize)> = Vec::new();
    for (index, first) in again_too.iter().map(|a| (a.index, firsts[&a.id])) {
        match places.get(&first) {
            Some(place) => twins.push((index, *place)),
            None => again.push((index, first)),
        }
    }
    let ids: Vec<FactId> = again.iter().map(|(_, id)| *id).collect();
    if !ids.is_empty() {
        let said = inbound::say_again(tx, ReceiveSms::NAME, &ids).await?;
        for (index, id) in again {
            let said = said.get(&id).cloned().unwrap_or_default();
            let trace = batch[index].traceparent.as_deref();
            outcomes[index] = Some(Outcome::Done(said.into_iter().map(|p| p.traced(trace)).collect()));
        }
    }
    Ok((fresh, twins, rooms))
}

/// What carriers call the texts of a batch, column by column.
#[derive(Default)]
struct CarrierIds<'a> {
    carriers: Vec<&'a str>,
    carrier_ids: Vec<&'a str>,
    digests: Vec<Vec<u8>>,
    ids: Vec<FactId>,
}

impl<'a> CarrierIds<'a> {
    fn of(messages: impl Iterator<Item = &'a Message<Inbound>>) -> Self {
        let mut columns = Self::default();
        for message in messages {
            let Inbound::SmsReceived(sms) = &message.body else { continue };
            let Some(carrier_sms_id) = sms.carrier_sms_id.as_deref().filter(|id| !id.is_empty()) else { continue };
            columns.carriers.push(sms.carrier.as_str());
            columns.carrier_ids.push(carrier_sms_id);
            columns.digests.push(content(sms));
            columns.ids.push(message.id);
        }
        columns
    }
}

/// Notes what carriers call these texts; those that were not noted before.
async fn note_carrier_ids(
    tx: &Transaction<'_>,
    now: Timestamp,
    columns: &CarrierIds<'_>,
) -> Result<HashSet<FactId>, Failure> {
    if columns.ids.is_empty() {
        return Ok(HashSet::new());
    }
    let inserted = sql::rows(
        tx,
        "insert into inbound_ids (carrier, carrier_sms_id, digest, first_id, at)
         select carrier, carrier_sms_id, digest, id, $5
         from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) as i (carrier, carrier_sms_id, digest, id)
         order by carrier, carrier_sms_id, digest
         on conflict (carrier, carrier_sms_id, digest) do nothing
         returning first_id",
        &[&columns.carriers, &columns.carrier_ids, &columns.digests, &columns.ids, &now],
    )
    .await?;
    Ok(inserted.iter().map(|row| row.get(0)).collect())
}

/// Those whose carrier's id came before with the same content, with the id of the first.
async fn carrier_repeats(tx: &Transaction<'_>, columns: &CarrierIds<'_>) -> Result<HashMap<FactId, FactId>, Failure> {
    let rows = sql::rows(
        tx,
        "select i.id, k.first_id
         from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) as i (carrier, carrier_sms_id, digest, id)
         join inbound_ids k using (carrier, carrier_sms_id, digest)
         where k.first_id <> i.id",
        &[&columns.carriers, &columns.carrier_ids, &columns.digests, &columns.ids],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Forgets the carrier's ids of texts that are set aside after all: the carrier's own resend is no repeat of anything.
async fn forget_carrier_ids(
    tx: &Transaction<'_>,
    batch: &[Message<Inbound>],
    set_aside: &[FactId],
) -> Result<(), Failure> {
    let columns = CarrierIds::of(batch.iter().filter(|message| set_aside.contains(&message.id)));
    sql::touch(
        tx,
        "delete from inbound_ids k
         using unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) as i (carrier, carrier_sms_id, digest, id)
         where k.carrier = i.carrier and k.carrier_sms_id = i.carrier_sms_id and k.digest = i.digest
           and k.first_id = i.id",
        &[&columns.carriers, &columns.carrier_ids, &columns.digests, &columns.ids],
    )
    .await?;
    Ok(())
}

/// Fingerprint of what must be equal in a carrier's own repeat: from, to and text.
fn content(sms: &SmsReceived) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for field in [&sms.from, &sms.to, &sms.text] {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize()[..16].to_vec()
}

#[cfg(test)]
mod consent;
#[cfg(test)]
mod tests;
