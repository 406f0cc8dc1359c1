//! Noting: what was said goes into the ledger, in order, and into its fold. For each word it tells whether it changed
//! anything, so that exactly one confirmation is due; a repeat of the same fact gets the same answer.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ConsentKind, Noted, Scope, columns, key};
use crate::facts::ids::FactId;
use crate::failure::Failure;
use crate::hub::sql;

/// Tenant and customer: who is locked, and whose rows are read together.
type Person<'a> = (&'a str, &'a str);

/// A row of `opt_outs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Block {
    /// The number, or its hash.
    customer: String,
    scope: String,
    our_number: String,
    since: Timestamp,
}

/// How a person stands.
#[derive(Clone, Debug, Default)]
struct Standing {
    blocks: Vec<Block>,
    /// Our numbers that asked.
    asked: HashSet<String>,
}

impl Block {
    fn reaches(&self, our_number: &str) -> bool {
        self.scope == "brand" || self.scope == "all" || (self.scope == "number" && self.our_number == our_number)
    }

    fn is_as_wide(&self, scope: Scope, our_number: &str) -> bool {
        match scope {
            Scope::Number => self.reaches(our_number),
            Scope::Brand => self.scope == "brand" || self.scope == "all",
            Scope::All => self.scope == "all",
        }
    }
}

impl Standing {
    /// Takes a word; whether it changed anything.
    fn take(&mut self, now: Timestamp, word: &Noted<'_>) -> bool {
        let effective = word.effective_at.unwrap_or(now);
        match word.kind {
            ConsentKind::OptOut => {
                let was = self.blocks.iter().any(|block| block.is_as_wide(word.scope, word.our_number));
                let our_number = if word.scope == Scope::Number { word.our_number } else { "" };
                let same = |block: &&mut Block| {
                    block.customer == word.customer_number
                        && block.scope == word.scope.as_str()
                        && block.our_number == our_number
                };
                if let Some(block) = self.blocks.iter_mut().find(same) {
                    block.since = block.since.max(effective);
                } else {
                    self.blocks.push(Block {
                        customer: word.customer_number.to_owned(),
                        scope: word.scope.as_str().to_owned(),
                        our_number: our_number.to_owned(),
                        since: effective,
                    });
                }
                self.answer(word);
                !was
            }
            ConsentKind::OptIn => {
                let concerns = |block: &Block| word.scope != Scope::Number || block.reaches(word.our_number);
                let before = self.blocks.len();
                self.blocks.retain(|block| !concerns(block) || block.since > effective);
                let was_asked = self.answer(word);
                (self.blocks.len() < before || was_asked) && !self.blocks.iter().any(concerns)
            }
            ConsentKind::Asked => {
                let is_out = self.blocks.iter().any(|block| block.reaches(word.our_number));
                !is_out && self.asked.insert(word.our_number.to_owned())
            }
        }
    }

    /// What was asked is answered; whether it was asked.
    fn answer(&mut self, word: &Noted<'_>) -> bool {
        if word.scope == Scope::Number {
            return self.asked.remove(word.our_number);
        }
        let was_asked = !self.asked.is_empty();
        self.asked.clear();
        was_asked
    }
}

/// Records what was said, in order; for each, whether it changed the customer's state (then the one confirmation is due).
/// The same fact again changes nothing and gets the answer of the first time.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note(tx: &Transaction<'_>, now: Timestamp, noted: &[Noted<'_>]) -> Result<Vec<bool>, Failure> {
    if noted.is_empty() {
        return Ok(Vec::new());
    }
    let mut persons: Vec<Person<'_>> = noted.iter().map(|n| (n.tenant, n.customer_number)).collect();
    persons.sort_unstable();
    persons.dedup();
    lock(tx, &persons).await?;
    let before = standings(tx, &persons).await?;
    let mut answers = known_entries(tx, noted).await?;
    let mut after = before.clone();
    let mut changed = Vec::with_capacity(noted.len());
    let mut also: Vec<(&Noted<'_>, String)> = Vec::new();
    for word in noted {
        let answer = match (answers.get(&word.entry_id()), after.get_mut(&(word.tenant, word.customer_number))) {
            (Some(answer), _) => *answer,
            (None, None) => false,
            (None, Some(standing)) => {
                let hashed =
                    |s: &Standing| s.blocks.iter().find(|b| b.customer.starts_with('#')).map(|b| b.customer.clone());
                let was_hashed = hashed(standing);
                let changed = standing.take(now, word);
                // what was lifted of a forgotten customer stands in the ledger under the hash, too
                also.extend(was_hashed.filter(|_| hashed(standing).is_none()).map(|hash| (word, hash)));
                changed
            }
        };
        answers.insert(word.entry_id(), answer);
        changed.push(answer);
    }
    append(tx, now, noted, &changed, &also).await?;
    store(tx, now, &before, &after).await?;
    Ok(changed)
}

/// One transaction at a time decides about a person: the row that tells "opted in" is no row, so it cannot be locked.
async fn lock(tx: &Transaction<'_>, persons: &[Person<'_>]) -> Result<(), Failure> {
    let keys: Vec<String> = persons.iter().map(|(tenant, customer)| format!("consent {tenant} {customer}")).collect();
    sql::rows(
        tx,
        "select pg_advisory_xact_lock(k.hash)
         from (select distinct hashtextextended(key, 0) as hash from unnest($1::text[]) as key order by 1) k",
        &[&keys],
    )
    .await?;
    Ok(())
}

async fn standings<'a>(tx: &Transaction<'_>, persons: &[Person<'a>]) -> Result<HashMap<Person<'a>, Standing>, Failure> {
    let mut all: HashMap<Person, Standing> = persons.iter().map(|person| (*person, Standing::default())).collect();
    let (tenants, customers): (Vec<&str>, Vec<&str>) = persons.iter().copied().unzip();
    let hashes: Vec<Option<String>> = persons.iter().map(|(tenant, customer)| key::hash(tenant, customer)).collect();
    let rows = sql::rows(
        tx,
        "select p.nr, o.customer_number, o.scope, o.our_number, o.since
         from unnest($1::text[], $2::text[], $3::text[]) with ordinality as p (tenant, customer, hash, nr)
         join opt_outs o on o.tenant = p.tenant and o.customer_number in (p.customer, p.hash)
         union all
         select p.nr, a.customer_number, 'asked', a.our_number, a.asked_at
         from unnest($1::text[], $2::text[]) with ordinality as p (tenant, customer, nr)
         join opt_in_asks a on a.tenant = p.tenant and a.customer_number = p.customer",
        &[&tenants, &customers, &hashes],
    )
    .await?;
    for row in rows {
        let nth = usize::try_from(row.get::<_, i64>(0) - 1).ok();
        let Some(standing) = nth.and_then(|nth| persons.get(nth)).and_then(|person| all.get_mut(person)) else {
            continue;
        };
        let (scope, our_number): (String, String) = (row.get(2), row.get(3));
        if scope == "asked" {
            standing.asked.insert(our_number);
        } else {
            standing.blocks.push(Block { customer: row.get(1), scope, our_number, since: row.get(4) });
        }
    }
    Ok(all)
}

async fn known_entries(tx: &Transaction<'_>, noted: &[Noted<'_>]) -> Result<HashMap<Uuid, bool>, Failure> {
    let ids: Vec<Uuid> = noted.iter().map(Noted::entry_id).collect();
    let rows = sql::rows(tx, "select id, changed from consent_entries where id = any($1)", &[&ids]).await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("changed"))).collect())
}

/// SHA-256 of a disclosure, as hex.
#[must_use]
pub(super) fn fingerprint(disclosure: &str) -> String {
    let hex = |octet: u8| [octet >> 4, octet & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)]));
    Sha256::digest(disclosure.as_bytes()).into_iter().flat_map(hex).collect()
}

async fn append(
    tx: &Transaction<'_>,
    now: Timestamp,
    noted: &[Noted<'_>],
    changed: &[bool],
    also: &[(&Noted<'_>, String)],
) -> Result<(), Failure> {
    let own = noted.iter().zip(changed).map(|(n, changed)| (n, n.entry_id(), n.customer_number, *changed));
    let hashed = also.iter().map(|(n, hash)| (*n, n.caused_by.row("consent", 1), hash.as_str(), true));
    let all: Vec<(&Noted<'_>, Uuid, &str, bool)> = own.chain(hashed).collect();
    let ids: Vec<Uuid> = all.iter().map(|e| e.1).collect();
    let (tenants, ours, customers) = columns(all.iter().map(|e| (e.0.tenant, e.0.our_number, e.2)));
    let kinds: Vec<&str> = all.iter().map(|e| e.0.kind.as_str()).collect();
    let keywords: Vec<Option<&str>> = all.iter().map(|e| e.0.keyword).collect();
    let changed: Vec<bool> = all.iter().map(|e| e.3).collect();
    let causes: Vec<FactId> = all.iter().map(|e| e.0.caused_by).collect();
    let scopes: Vec<&str> = all.iter().map(|e| e.0.scope.as_str()).collect();
    let methods: Vec<&str> = all.iter().map(|e| e.0.method.as_str()).collect();
    let actors: Vec<&str> = all.iter().map(|e| e.0.actor.as_ref()).collect();
    let sources: Vec<Option<&Value>> = all.iter().map(|e| e.0.proof.source.as_ref()).collect();
    let disclosures: Vec<Option<&str>> = all.iter().map(|e| e.0.proof.disclosure.as_deref()).collect();
    let fingerprints: Vec<Option<String>> = disclosures.iter().map(|told| told.map(fingerprint)).collect();
    let bases: Vec<Option<&str>> = all.iter().map(|e| e.0.proof.basis.map(super::Basis::as_str)).collect();
    let evidence: Vec<Option<&str>> = all.iter().map(|e| e.0.proof.evidence.as_deref()).collect();
    let effective: Vec<Timestamp> = all.iter().map(|e| e.0.effective_at.unwrap_or(now)).collect();
    #[rustfmt::skip]
    sql::touch(
        tx,
        "insert into consent_entries (id, tenant, our_number, customer_number, kind, keyword, changed, caused_by, scope,
                                      method, actor, source, disclosure, disclosure_sha256, basis, evidence, effective_at, at)
         select n.*, $18
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::uuid[],
                     $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::text[], $14::text[], $15::text[], $16::text[],
                     $17::timestamptz[]) as n
         on conflict (id) do nothing",
        &[&ids, &tenants, &ours, &customers, &kinds, &keywords, &changed, &causes, &scopes, &methods, &actors, &sources,
          &disclosures, &fingerprints, &bases, &evidence, &effective, &now],
    )
    .await?;
    Ok(())
}

/// Brings the fold to where the words led.
async fn store<'a>(
    tx: &Transaction<'_>,
    now: Timestamp,
    before: &HashMap<Person<'a>, Standing>,
    after: &HashMap<Person<'a>, Standing>,
) -> Result<(), Failure> {
    let (mut gone, mut stands) = (Vec::new(), Vec::new());
    let (mut answered, mut asked) = (Vec::new(), Vec::new());
    for (person, was) in before {
        let Some(is) = after.get(person) else { continue };
        gone.extend(was.blocks.iter().filter(|block| !is.blocks.contains(block)).map(|block| (person.0, block)));
        stands.extend(is.blocks.iter().filter(|block| !was.blocks.contains(block)).map(|block| (person.0, block)));
        answered.extend(was.asked.difference(&is.asked).map(|ours| (person.0, ours.as_str(), person.1)));
        asked.extend(is.asked.difference(&was.asked).map(|ours| (person.0, ours.as_str(), person.1)));
    }
    if !gone.is_empty() {
        let (tenants, ours, customers) =
            columns(gone.iter().map(|(t, b)| (*t, b.our_number.as_str(), b.customer.as_str())));
        let scopes: Vec<&str> = gone.iter().map(|(_, block)| block.scope.as_str()).collect();
        let delete = "delete from opt_outs o
             using unnest($1::text[], $2::text[], $3::text[], $4::text[]) as p (tenant, our_number, customer, scope)
             where o.tenant = p.tenant and o.our_number = p.our_number and o.customer_number = p.customer and o.scope = p.scope";
        sql::touch(tx, delete, &[&tenants, &ours, &customers, &scopes]).await?;
    }
    if !stands.is_empty() {
        let (tenants, ours, customers) =
            columns(stands.iter().map(|(t, b)| (*t, b.our_number.as_str(), b.customer.as_str())));
        let scopes: Vec<&str> = stands.iter().map(|(_, block)| block.scope.as_str()).collect();
        let since: Vec<Timestamp> = stands.iter().map(|(_, block)| block.since).collect();
        let insert = "insert into opt_outs (tenant, our_number, customer_number, scope, since)
             select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])";
        sql::touch(tx, insert, &[&tenants, &ours, &customers, &scopes, &since]).await?;
    }
    if !answered.is_empty() {
        let (tenants, ours, customers) = columns(answered.into_iter());
        let delete = "delete from opt_in_asks a
             using unnest($1::text[], $2::text[], $3::text[]) as p (tenant, our_number, customer)
             where a.tenant = p.tenant and a.our_number = p.our_number and a.customer_number = p.customer";
        sql::touch(tx, delete, &[&tenants, &ours, &customers]).await?;
    }
    if !asked.is_empty() {
        let (tenants, ours, customers) = columns(asked.into_iter());
        let insert = "insert into opt_in_asks (tenant, our_number, customer_number, asked_at)
             select *, $4 from unnest($1::text[], $2::text[], $3::text[])";
        sql::touch(tx, insert, &[&tenants, &ours, &customers, &now]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn word(kind: ConsentKind, scope: Scope, ours: &'static str) -> Noted<'static> {
        Noted { scope, ..Noted::by_keyword(("bears", ours, "+15550100100"), kind, "STOP", FactId(Uuid::from_u128(1))) }
    }

    #[test]
    fn only_a_change_is_confirmed_and_the_last_word_decides() {
        use ConsentKind::{OptIn, OptOut};
        let mut standing = Standing::default();
        let mut say = |kind| standing.take(at(0), &word(kind, Scope::Number, "1"));
        assert_eq!([OptIn, OptOut, OptOut, OptIn, OptIn].map(&mut say), [false, true, false, true, false]);
    }

    #[test]
    fn a_wider_block_covers_the_narrower_and_an_opt_in_lifts_what_stands_between() {
        use ConsentKind::{OptIn, OptOut};
        let mut standing = Standing::default();
        assert!(standing.take(at(0), &word(OptOut, Scope::Brand, "1")));
        assert!(!standing.take(at(0), &word(OptOut, Scope::Number, "2")), "is out already");
        assert!(standing.take(at(0), &word(OptOut, Scope::All, "1")), "wider");
        assert!(standing.take(at(0), &word(OptIn, Scope::Number, "1")));
        let left: Vec<&str> = standing.blocks.iter().map(|block| block.our_number.as_str()).collect();
        assert_eq!(left, ["2"], "that number was named by itself");
        assert!(standing.take(at(0), &word(OptIn, Scope::Brand, "1")) && standing.blocks.is_empty());
    }

    #[test]
    fn an_older_opt_in_lifts_no_newer_block_and_an_older_opt_out_blocks() {
        use ConsentKind::{OptIn, OptOut};
        let old = |kind| Noted { effective_at: Some(at(10)), ..word(kind, Scope::Number, "1") };
        let mut standing = Standing::default();
        assert!(standing.take(at(20), &word(OptOut, Scope::Number, "1")));
        assert!(!standing.take(at(30), &old(OptIn)) && standing.blocks.len() == 1);
        assert!(!standing.take(at(30), &old(OptOut)) && standing.blocks[0].since == at(20));
        let mut fresh = Standing::default();
        assert!(fresh.take(at(30), &old(OptOut)));
    }

    #[test]
    fn who_was_asked_answers_once() {
        use ConsentKind::{Asked, OptIn, OptOut};
        let mut standing = Standing::default();
        let mut say = |kind| standing.take(at(0), &word(kind, Scope::Number, "1"));
        assert_eq!([Asked, Asked, OptIn, OptIn].map(&mut say), [true, false, true, false]);
        assert_eq!([Asked, OptOut, Asked].map(&mut say), [true, true, false], "who is out is not asked");
    }
}
