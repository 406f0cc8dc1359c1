//! Loads what a batch of answers and receipts is about, and stores what it came to. Batches of one carrier go one after
//! the other (an advisory lock per carrier), so that a receipt and its submission never miss each other.

use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::spelling::{self, Rule};
use super::{Ends, Ledger, Part, Receipt, Text};
use crate::facts::envelope::Reason;
use crate::facts::ids::{FactId, Slug, SmsId};
use crate::facts::said::{SmsStatus, SubmittedPart};
use crate::failure::Failure;
use crate::hub::sql;
use crate::sms::sending;

/// The texts, parts and waiting receipts that a batch is about: the texts told of, with their told parts, and those that
/// its receipts name, by id or by the two numbers.
///
/// # Errors
/// Contention or a database that is away.
pub async fn load(
    tx: &Transaction<'_>,
    now: Timestamp,
    told: &[(SmsId, &[SubmittedPart])],
    reported: &[(&Slug, &str)],
    between: &[(&Slug, Ends)],
) -> Result<Ledger, Failure> {
    let mut ids: Vec<SmsId> = told.iter().map(|(id, _)| *id).collect();
    lock_carriers(tx, &ids, reported).await?;
    let (unknown, busy) = texts_between(tx, now, &ids, between).await?;
    ids.extend(texts_of(tx, reported).await?);
    ids.extend(unknown);
    ids.sort_unstable();
    ids.dedup();
    let texts = sending::lock(tx, &ids).await?;
    let mut ledger = Ledger { busy, ..Ledger::default() };
    ledger.texts.extend(texts.into_iter().map(|(id, sms)| (id, Text { sms, parts: BTreeMap::new() })));
    load_parts(tx, &mut ledger, &ids).await?;
    ledger.receipts = waiting(tx, &ledger, told).await?;
    Ok(ledger)
}

async fn lock_carriers(tx: &Transaction<'_>, ids: &[SmsId], reported: &[(&Slug, &str)]) -> Result<(), Failure> {
    let carriers: Vec<&Slug> = reported.iter().map(|(carrier, _)| *carrier).collect();
    sql::rows(
        tx,
        "select pg_advisory_xact_lock(k.hash)
         from (select distinct hashtextextended('receipts ' || c.carrier, 0) as hash
               from (select carrier from sms where id = any($1) union select unnest($2::text[])) c (carrier)
               order by 1) k",
        &[&ids, &carriers],
    )
    .await?;
    Ok(())
}

async fn texts_of(tx: &Transaction<'_>, reported: &[(&Slug, &str)]) -> Result<Vec<SmsId>, Failure> {
    if reported.is_empty() {
        return Ok(Vec::new());
    }
    let (carriers, keys) = keys_of(reported.iter().copied());
    let rows = sql::rows(tx, FOUND, &[&carriers, &keys]).await?;
    Ok(rows.iter().map(|row| row.get("sms_id")).collect())
}

/// The texts that have a part under one of these ids, whatever its case and leading zeros.
pub const FOUND: &str = "
    select distinct p.sms_id from unnest($1::text[], $2::text[]) as r (carrier, key)
    join sms_parts p on p.carrier = r.carrier
      and ltrim(lower(p.carrier_sms_id collate \"C\"), '0') = ltrim(lower(r.key collate \"C\"), '0')";

/// Texts of unknown fate between these numbers and between those of the texts told of, if they left of late; and the
/// numbers between which one is under way.
async fn texts_between(
    tx: &Transaction<'_>,
    now: Timestamp,
    told: &[SmsId],
    between: &[(&Slug, Ends)],
) -> Result<(Vec<SmsId>, HashSet<(Slug, Ends)>), Failure> {
    let carriers: Vec<&Slug> = between.iter().map(|(carrier, _)| *carrier).collect();
    let ours: Vec<&str> = between.iter().map(|(_, (ours, _))| ours.as_str()).collect();
    let customers: Vec<&str> = between.iter().map(|(_, (_, customer))| customer.as_str()).collect();
    let rows = sql::rows(tx, BETWEEN, &[&carriers, &ours, &customers, &told, &now]).await?;
    let (mut ids, mut busy) = (Vec::new(), HashSet::new());
    for row in rows {
        ids.push(row.get("id"));
        if row.get("is_busy") {
            busy.insert((row.get("carrier"), (row.get("our_number"), row.get("customer_number"))));
        }
    }
    Ok((ids, busy))
}

/// See `texts_between`.
pub const BETWEEN: &str = "
    with ends as (
        select * from unnest($1::text[], $2::text[], $3::text[]) as r (carrier, our_number, customer_number)
        union
        select carrier, our_number, customer_number from sms where id = any($4) and state = 'unknown'
    )
    select s.id, s.carrier, s.our_number, s.customer_number,
           exists (select 1 from sms b where b.state = 'sending' and b.carrier = s.carrier
                     and b.our_number = s.our_number and b.customer_number = s.customer_number) as is_busy
    from ends e
    join sms s on s.state = 'unknown' and s.customer_number = e.customer_number
              and s.our_number = e.our_number and s.carrier = e.carrier
    where s.claimed_at > $5::timestamptz - interval '3 days'";

async fn load_parts(tx: &Transaction<'_>, ledger: &mut Ledger, ids: &[SmsId]) -> Result<(), Failure> {
    let rows = sql::rows(
        tx,
        "select sms_id, part, carrier_sms_id, status, error from sms_parts where sms_id = any($1)",
        &[&ids],
    )
    .await?;
    for row in rows {
        let part = Part {
            carrier_sms_id: row.get("carrier_sms_id"),
            status: word(row.get("status"))?,
            error: row.get("error"),
        };
        if let Some(text) = ledger.texts.get_mut(&row.get("sms_id")) {
            text.parts.insert(row.get("part"), part);
        }
    }
    Ok(())
}

/// Ids with all that they may be spelled as on the other side; the statements fold case and leading zeros themselves.
fn keys_of<'a>(ids: impl Iterator<Item = (&'a Slug, &'a str)>) -> (Vec<&'a Slug>, Vec<String>) {
    ids.flat_map(|(carrier, id)| spelling::keys(id).into_iter().map(move |key| (carrier, key))).unzip()
}

/// Receipts that came before the parts told of now, in the order of their coming.
async fn waiting(
    tx: &Transaction<'_>,
    ledger: &Ledger,
    told: &[(SmsId, &[SubmittedPart])],
) -> Result<Vec<Receipt>, Failure> {
    let mut keys: HashSet<(&Slug, &str)> = HashSet::new();
    for (id, parts) in told {
        let Some(text) = ledger.texts.get(id) else { continue };
        let known = text.parts.values().map(|part| part.carrier_sms_id.as_str());
        keys.extend(
            parts.iter().map(|part| part.carrier_sms_id.as_str()).chain(known).map(|key| (&text.sms.carrier, key)),
        );
    }
    let unknown: Vec<SmsId> = told
        .iter()
        .map(|(id, _)| *id)
        .filter(|id| ledger.texts.get(id).is_some_and(|text| text.sms.state == SmsStatus::Unknown))
        .collect();
    if keys.is_empty() && unknown.is_empty() {
        return Ok(Vec::new());
    }
    let (carriers, keys) = keys_of(keys.into_iter());
    let rows = sql::rows(tx, WAITING, &[&carriers, &keys, &unknown]).await?;
    rows.iter()
        .map(|row| {
            Ok(Receipt {
                id: row.get("id"),
                carrier: row.get("carrier"),
                carrier_sms_id: row.get("carrier_sms_id"),
                status: word(row.get("status"))?,
                error: row.get("error"),
                part: row.get("part"),
                id_rules: spelling::rules(&row.get::<_, Vec<String>>("id_rules")),
                ends: row.get::<_, Option<String>>("our_number").zip(row.get("customer_number")),
                reported_at: row.get("reported_at"),
                sms_id: None,
            })
        })
        .collect()
}

/// See `waiting`.
pub const WAITING: &str = "
    select id, carrier, carrier_sms_id, status, error, part, id_rules, our_number, customer_number, reported_at from (
        select r.* from unnest($1::text[], $2::text[]) as k (carrier, key)
        join receipts r on r.carrier = k.carrier and r.sms_id is null
          and ltrim(lower(r.carrier_sms_id collate \"C\"), '0') = ltrim(lower(k.key collate \"C\"), '0')
        union
        select r.* from sms s
        join receipts r on r.customer_number = s.customer_number and r.our_number = s.our_number
          and r.carrier = s.carrier and r.sms_id is null
        where s.id = any($3)
    ) r order by at, id";

/// Stores what a batch came to.
///
/// # Errors
/// Contention or a database that is away.
pub async fn store(tx: &Transaction<'_>, now: Timestamp, ledger: &Ledger) -> Result<(), Failure> {
    store_receipts(tx, now, &ledger.receipts).await?;
    let changed: Vec<&Text> = ledger.changed.iter().filter_map(|id| ledger.texts.get(id)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    store_parts(tx, &changed).await?;
    let ids: Vec<SmsId> = changed.iter().map(|text| text.sms.id).collect();
    let states: Vec<&str> = changed.iter().map(|text| text.sms.state.as_str()).collect();
    let reasons: Vec<Option<&str>> = changed.iter().map(|text| text.sms.reason.as_deref()).collect();
    let finals: Vec<bool> = changed.iter().map(|text| text.sms.state.is_final()).collect();
    sql::touch(
        tx,
        "update sms s set state = n.state, reason = n.reason,
                submitted_at = case when n.state <> 'unknown' and s.submitted_at is null and n.has_parts then $6 else s.submitted_at end,
                final_at = case when n.is_final then coalesce(s.final_at, $6) else s.final_at end
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bool[], $5::bool[]) as n (id, state, reason, is_final, has_parts)
         where s.id = n.id",
        &[&ids, &states, &reasons, &finals, &changed.iter().map(|t| !t.parts.is_empty()).collect::<Vec<_>>(), &now],
    )
    .await?;
    Ok(())
}

/// New receipts are added; those that waited and found their text are told which.
async fn store_receipts(tx: &Transaction<'_>, now: Timestamp, receipts: &[Receipt]) -> Result<(), Failure> {
    if receipts.is_empty() {
        return Ok(());
    }
    let ids: Vec<FactId> = receipts.iter().map(|r| r.id).collect();
    let carriers: Vec<&Slug> = receipts.iter().map(|r| &r.carrier).collect();
    let carrier_ids: Vec<&str> = receipts.iter().map(|r| r.carrier_sms_id.as_str()).collect();
    let states: Vec<&str> = receipts.iter().map(|r| r.status.as_str()).collect();
    let errors: Vec<Option<&str>> = receipts.iter().map(|r| r.error.as_deref()).collect();
    let parts: Vec<Option<i32>> = receipts.iter().map(|r| r.part).collect();
    let times: Vec<Timestamp> = receipts.iter().map(|r| r.reported_at).collect();
    let texts: Vec<Option<SmsId>> = receipts.iter().map(|r| r.sms_id).collect();
    let ours: Vec<Option<&str>> = receipts.iter().map(|r| r.ends.as_ref().map(|ends| ends.0.as_str())).collect();
    let customers: Vec<Option<&str>> = receipts.iter().map(|r| r.ends.as_ref().map(|ends| ends.1.as_str())).collect();
    // arrays of different lengths make no array: the words go as one text
    let rules: Vec<String> = receipts.iter().map(|r| words(&r.id_rules)).collect();
    sql::touch(
        tx,
        "insert into receipts as r (id, carrier, carrier_sms_id, status, error, part, reported_at, at, sms_id, id_rules, our_number, customer_number)
         select id, carrier, carrier_sms_id, status, error, part, reported_at, $9, sms_id, string_to_array(id_rules, ' '), our_number, customer_number
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::uuid[],
                     $10::text[], $11::text[], $12::text[])
           as n (id, carrier, carrier_sms_id, status, error, part, reported_at, sms_id, id_rules, our_number, customer_number)
         on conflict (id) do update set sms_id = excluded.sms_id where r.sms_id is null and excluded.sms_id is not null",
        &[&ids, &carriers, &carrier_ids, &states, &errors, &parts, &times, &texts, &now, &rules, &ours, &customers],
    )
    .await?;
    Ok(())
}

fn words(rules: &[Rule]) -> String {
    rules.iter().map(|rule| rule.word()).collect::<Vec<_>>().join(" ")
}

async fn store_parts(tx: &Transaction<'_>, texts: &[&Text]) -> Result<(), Failure> {
    let parts: Vec<(&Text, &i32, &Part)> =
        texts.iter().flat_map(|text| text.parts.iter().map(move |(number, part)| (*text, number, part))).collect();
    let ids: Vec<SmsId> = parts.iter().map(|(text, ..)| text.sms.id).collect();
    let numbers: Vec<i32> = parts.iter().map(|(_, number, _)| **number).collect();
    let carriers: Vec<&Slug> = parts.iter().map(|(text, ..)| &text.sms.carrier).collect();
    let carrier_ids: Vec<&str> = parts.iter().map(|(.., part)| part.carrier_sms_id.as_str()).collect();
    let states: Vec<&str> = parts.iter().map(|(.., part)| part.status.as_str()).collect();
    let errors: Vec<Option<&str>> = parts.iter().map(|(.., part)| part.error.as_deref()).collect();
    sql::touch(
        tx,
        "insert into sms_parts as p (sms_id, part, carrier, carrier_sms_id, status, error)
         select sms_id, part, carrier, carrier_sms_id, status, error
         from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[])
           as n (sms_id, part, carrier, carrier_sms_id, status, error)
         on conflict (sms_id, part) do update
           set status = excluded.status, error = excluded.error, carrier_sms_id = excluded.carrier_sms_id
           where p.status <> excluded.status or p.carrier_sms_id = ''",
        &[&ids, &numbers, &carriers, &carrier_ids, &states, &errors],
    )
    .await?;
    Ok(())
}

fn word(state: &str) -> Result<SmsStatus, Failure> {
    state.parse().map_err(|error: String| Reason::new("broken_invariant", error).into())
}
