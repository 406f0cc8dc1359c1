//! Loads what a batch of answers and receipts is about, and stores what it came to. Batches of one carrier go one after
//! the other (an advisory lock per carrier), so that a receipt and its submission never miss each other.

use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::spelling::{self, Rule};
use super::{Ledger, Part, Receipt, Text};
use crate::facts::envelope::Reason;
use crate::facts::ids::{FactId, Slug, SmsId};
use crate::facts::said::{SmsStatus, SubmittedPart};
use crate::failure::Failure;
use crate::hub::sql;
use crate::sms::sending;

/// The texts, parts and waiting receipts that a batch is about: the texts told of, with their told parts, and those that
/// its receipts name.
///
/// # Errors
/// Contention or a database that is away.
pub async fn load(
    tx: &Transaction<'_>,
    told: &[(SmsId, &[SubmittedPart])],
    reported: &[(&Slug, &str)],
) -> Result<Ledger, Failure> {
    let mut ids: Vec<SmsId> = told.iter().map(|(id, _)| *id).collect();
    lock_carriers(tx, &ids, reported).await?;
    ids.extend(texts_of(tx, reported).await?);
    ids.sort_unstable();
    ids.dedup();
    let texts = sending::lock(tx, &ids).await?;
    let mut ledger = Ledger::default();
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
    let rows = sql::rows(
        tx,
        "select distinct p.sms_id from unnest($1::text[], $2::text[]) as r (carrier, key)
         join sms_parts p on p.carrier = r.carrier
           and ltrim(lower(p.carrier_sms_id collate \"C\"), '0') = ltrim(lower(r.key collate \"C\"), '0')",
        &[&carriers, &keys],
    )
    .await?;
    Ok(rows.iter().map(|row| row.get("sms_id")).collect())
}

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
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (carriers, keys) = keys_of(keys.into_iter());
    let rows = sql::rows(
        tx,
        "select distinct r.id, r.carrier, r.carrier_sms_id, r.status, r.error, r.part, r.id_rules, r.reported_at, r.at
         from unnest($1::text[], $2::text[]) as k (carrier, key)
         join receipts r on r.carrier = k.carrier
           and ltrim(lower(r.carrier_sms_id collate \"C\"), '0') = ltrim(lower(k.key collate \"C\"), '0')
         where r.sms_id is null order by r.at, r.id",
        &[&carriers, &keys],
    )
    .await?;
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
                reported_at: row.get("reported_at"),
                sms_id: None,
            })
        })
        .collect()
}

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
    // arrays of one length each are none to Postgres: the words go as one text
    let rules: Vec<String> = receipts.iter().map(|r| words(&r.id_rules)).collect();
    sql::touch(
        tx,
        "insert into receipts as r (id, carrier, carrier_sms_id, status, error, part, reported_at, at, sms_id, id_rules)
         select id, carrier, carrier_sms_id, status, error, part, reported_at, $9, sms_id, string_to_array(id_rules, ' ')
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::uuid[], $10::text[])
           as n (id, carrier, carrier_sms_id, status, error, part, reported_at, sms_id, id_rules)
         on conflict (id) do update set sms_id = excluded.sms_id where r.sms_id is null and excluded.sms_id is not null",
        &[&ids, &carriers, &carrier_ids, &states, &errors, &parts, &times, &texts, &now, &rules],
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
         on conflict (sms_id, part) do update set status = excluded.status, error = excluded.error
           where p.status <> excluded.status",
        &[&ids, &numbers, &carriers, &carrier_ids, &states, &errors],
    )
    .await?;
    Ok(())
}

fn word(state: &str) -> Result<SmsStatus, Failure> {
    state.parse().map_err(|error: String| Reason::new("broken_invariant", error).into())
}
