//! The consent ledger per tenant, our number and customer: append-only entries, and their fold `opt_outs`, which says
//! who is opted out now. Noting a keyword tells whether it changed anything, so that exactly one confirmation is due;
//! a repeat of the same fact gets the same answer. Which word means what is in `sms/keywords.rs`; sending is elsewhere.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use uuid::Uuid;

use crate::facts::ids::FactId;
use crate::failure::Failure;

/// Out or in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentKind {
    /// Nothing may be sent any more, but for the one confirmation.
    OptOut,
    /// Sending is allowed again.
    OptIn,
}

impl ConsentKind {
    /// As in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "opt_out",
            Self::OptIn => "opt_in",
        }
    }
}

/// Whose consent: tenant, our number, customer's number.
pub type Party<'a> = (&'a str, &'a str, &'a str);

/// A customer's word about consent.
#[derive(Clone, Debug)]
pub struct Noted<'a> {
    /// Whose number was texted.
    pub tenant: &'a str,
    /// Which of our numbers.
    pub our_number: &'a str,
    /// Who texted.
    pub customer_number: &'a str,
    /// Out or in.
    pub kind: ConsentKind,
    /// The word as it was recognised.
    pub keyword: &'a str,
    /// The fact that brought it; an entry's id is derived from it.
    pub caused_by: FactId,
}

impl<'a> Noted<'a> {
    fn party(&self) -> Party<'a> {
        (self.tenant, self.our_number, self.customer_number)
    }

    fn entry_id(&self) -> Uuid {
        self.caused_by.row("consent", 0)
    }
}

/// Records what customers said, in order; for each, whether it changed their state (then the one confirmation is due).
/// The same fact again changes nothing and gets the answer of the first time.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note(tx: &Transaction<'_>, now: Timestamp, noted: &[Noted<'_>]) -> Result<Vec<bool>, Failure> {
    if noted.is_empty() {
        return Ok(Vec::new());
    }
    let parties: Vec<Party> = noted.iter().map(Noted::party).collect();
    lock(tx, &parties).await?;
    let before = opted_out(tx, &parties).await?;
    let known = known_entries(tx, noted).await?;
    let folded = fold(noted, &before, &known);
    append(tx, now, noted, &folded.changed).await?;
    store(tx, now, &folded.last).await?;
    Ok(folded.changed)
}

/// Who of these is opted out, in their order. To be read in the transaction that requests a send and in the one that claims it.
///
/// # Errors
/// Contention or a database that is away.
pub async fn opted_out(tx: &Transaction<'_>, parties: &[Party<'_>]) -> Result<Vec<bool>, Failure> {
    if parties.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, ours, customers) = columns(parties.iter().copied());
    let statement = tx
        .prepare_cached(
            "select exists (select 1 from opt_outs o where o.tenant = p.tenant and o.our_number = p.our_number
                            and o.customer_number = p.customer_number) as is_out
             from unnest($1::text[], $2::text[], $3::text[]) with ordinality as p (tenant, our_number, customer_number, nr)
             order by p.nr",
        )
        .await?;
    let rows = tx.query(&statement, &[&tenants, &ours, &customers]).await?;
    Ok(rows.iter().map(|row| row.get("is_out")).collect())
}

/// What a batch of words comes to.
struct Folded<'a> {
    /// For each word: whether it changed its party's state.
    changed: Vec<bool>,
    /// The last change of each party of whom something changed, repeats apart.
    last: HashMap<Party<'a>, ConsentKind>,
}

/// What each word changed, given who was out before and the answers of entries that are there already.
fn fold<'a>(noted: &[Noted<'a>], before: &[bool], known: &HashMap<Uuid, bool>) -> Folded<'a> {
    let mut states: HashMap<Party, bool> = noted.iter().map(Noted::party).zip(before.iter().copied()).collect();
    let mut answered = known.clone();
    let mut folded = Folded { changed: Vec::with_capacity(noted.len()), last: HashMap::new() };
    for word in noted {
        let changed = answered.get(&word.entry_id()).copied().unwrap_or_else(|| {
            let is_out = word.kind == ConsentKind::OptOut;
            let changed = states.insert(word.party(), is_out) != Some(is_out);
            if changed {
                folded.last.insert(word.party(), word.kind);
            }
            changed
        });
        answered.insert(word.entry_id(), changed);
        folded.changed.push(changed);
    }
    folded
}

/// One transaction at a time decides about a party: the row that tells "opted in" is no row, so it cannot be locked.
async fn lock(tx: &Transaction<'_>, parties: &[Party<'_>]) -> Result<(), Failure> {
    let mut keys: Vec<String> = parties.iter().map(|(t, o, c)| format!("consent {t} {o} {c}")).collect();
    keys.sort_unstable();
    keys.dedup();
    let statement = tx
        .prepare_cached(
            "select pg_advisory_xact_lock(k.hash)
             from (select distinct hashtextextended(key, 0) as hash from unnest($1::text[]) as key order by 1) k",
        )
        .await?;
    tx.query(&statement, &[&keys]).await?;
    Ok(())
}

async fn known_entries(tx: &Transaction<'_>, noted: &[Noted<'_>]) -> Result<HashMap<Uuid, bool>, Failure> {
    let ids: Vec<Uuid> = noted.iter().map(Noted::entry_id).collect();
    let statement = tx.prepare_cached("select id, changed from consent_entries where id = any($1)").await?;
    let rows = tx.query(&statement, &[&ids]).await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("changed"))).collect())
}

async fn append(tx: &Transaction<'_>, now: Timestamp, noted: &[Noted<'_>], changed: &[bool]) -> Result<(), Failure> {
    let ids: Vec<Uuid> = noted.iter().map(Noted::entry_id).collect();
    let (tenants, ours, customers) = columns(noted.iter().map(Noted::party));
    let kinds: Vec<&str> = noted.iter().map(|n| n.kind.as_str()).collect();
    let keywords: Vec<&str> = noted.iter().map(|n| n.keyword).collect();
    let causes: Vec<FactId> = noted.iter().map(|n| n.caused_by).collect();
    let statement = tx
        .prepare_cached(
            "insert into consent_entries (id, tenant, our_number, customer_number, kind, keyword, changed, caused_by, at)
             select n.id, n.tenant, n.our_number, n.customer_number, n.kind, n.keyword, n.changed, n.caused_by, $9
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::uuid[])
                  as n (id, tenant, our_number, customer_number, kind, keyword, changed, caused_by)
             on conflict (id) do nothing",
        )
        .await?;
    tx.execute(&statement, &[&ids, &tenants, &ours, &customers, &kinds, &keywords, &changed, &causes, &now]).await?;
    Ok(())
}

/// Folds the ledger into `opt_outs`: the newest entry decides.
async fn store(tx: &Transaction<'_>, now: Timestamp, last: &HashMap<Party<'_>, ConsentKind>) -> Result<(), Failure> {
    let of = |kind| columns(last.iter().filter(move |(_, last)| **last == kind).map(|(party, _)| *party));
    let (tenants, ours, customers) = of(ConsentKind::OptOut);
    if !tenants.is_empty() {
        let statement = tx
            .prepare_cached(
                "insert into opt_outs (tenant, our_number, customer_number, since)
                 select p.tenant, p.our_number, p.customer_number, $4
                 from unnest($1::text[], $2::text[], $3::text[]) as p (tenant, our_number, customer_number)
                 on conflict (tenant, our_number, customer_number) do update set since = excluded.since",
            )
            .await?;
        tx.execute(&statement, &[&tenants, &ours, &customers, &now]).await?;
    }
    let (tenants, ours, customers) = of(ConsentKind::OptIn);
    if !tenants.is_empty() {
        let statement = tx
            .prepare_cached(
                "delete from opt_outs o using unnest($1::text[], $2::text[], $3::text[]) as p (tenant, our_number, customer_number)
                 where o.tenant = p.tenant and o.our_number = p.our_number and o.customer_number = p.customer_number",
            )
            .await?;
        tx.execute(&statement, &[&tenants, &ours, &customers]).await?;
    }
    Ok(())
}

fn columns<'a>(parties: impl Iterator<Item = Party<'a>>) -> (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>) {
    let (mut tenants, mut ours, mut customers) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, our_number, customer_number) in parties {
        tenants.push(tenant);
        ours.push(our_number);
        customers.push(customer_number);
    }
    (tenants, ours, customers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(kind: ConsentKind, customer: &'static str, cause: u128) -> Noted<'static> {
        let keyword = if kind == ConsentKind::OptOut { "STOP" } else { "START" };
        Noted {
            tenant: "bears",
            our_number: "+15550100001",
            customer_number: customer,
            kind,
            keyword,
            caused_by: FactId(Uuid::from_u128(cause)),
        }
    }

    #[test]
    fn only_a_change_is_confirmed_and_the_last_word_decides() {
        use ConsentKind::{OptIn, OptOut};
        let words = [
            word(OptIn, "+15550100100", 1),
            word(OptOut, "+15550100100", 2),
            word(OptOut, "+15550100100", 3),
            word(OptOut, "+15550100200", 4),
            word(OptIn, "+15550100100", 5),
            word(OptOut, "+15550100100", 2),
        ];
        let folded = fold(&words, &[false; 6], &HashMap::new());
        assert_eq!(folded.changed, [false, true, false, true, true, true]);
        assert_eq!(
            folded.last.get(&words[0].party()),
            Some(&OptIn),
            "a repeat within the batch is not the newest word"
        );
        assert_eq!(folded.last.get(&words[3].party()), Some(&OptOut));
    }

    #[test]
    fn a_repeat_gets_the_first_answer_and_changes_nothing() {
        let words = [word(ConsentKind::OptOut, "+15550100100", 2)];
        let known = HashMap::from([(words[0].entry_id(), true)]);
        let folded = fold(&words, &[false], &known);
        assert_eq!(folded.changed, [true]);
        assert!(folded.last.is_empty());
    }
}
