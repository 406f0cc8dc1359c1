//! Texts whose answer was lost. The carrier is asked whether it has one, where it can be; one that it does not have, twice,
//! is sent after all; past the tenant's time its policy decides. Whatever is sent again by policy is marked, since it may
//! arrive twice.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};

use crate::facts::ids::{FactId, RoomId, Slug, SmsId};
use crate::facts::said::SubmittedPart;
use crate::failure::Failure;
use crate::hub::sql;

/// A call is over by then, and whoever made it has said so or is gone.
pub const OVER: SignedDuration = SignedDuration::from_secs(60);
/// How often a carrier must not have a text, so many seconds apart at least, before that counts.
const MISSING: i32 = 2;

/// What a carrier says that it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// It has texts like it since then, each with its parts' ids, the earliest first.
    These(Vec<Vec<SubmittedPart>>),
    /// It has none.
    None,
    /// It cannot be asked, or did not answer.
    NotTold,
}

/// What is done in the end with a text that stays unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It stays unknown.
    Keep,
    /// It is sent again, once: it may arrive twice.
    Resend,
    /// It counts as failed: it may have arrived.
    Fail,
}

/// A doubted text.
#[derive(Clone, Debug)]
pub struct Doubted {
    /// Which.
    pub id: SmsId,
    /// By which connection.
    pub carrier: Slug,
    /// When it was handed over, perhaps.
    pub claimed_at: Timestamp,
    /// How often the carrier did not have it.
    pub missing: i32,
    /// How often it was sent again already.
    pub resent: i32,
    /// The tenant's.
    pub policy: Policy,
    /// When that decides.
    pub decides_at: Timestamp,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The carrier has it, under these ids.
    Submitted(Vec<SubmittedPart>),
    /// It never left: send it.
    Send,
    /// Nobody knows: send it again, and mark it.
    Resend,
    /// Nobody knows: failed.
    Fail,
    /// Nobody knows: it stays so.
    GiveUp,
    /// Look again later; whether the carrier did not have it this time.
    Later(bool),
}

/// Decides; `taken` are ids of the carrier's that belong to other texts of ours.
#[must_use]
pub fn decide(now: Timestamp, doubted: &Doubted, found: &Found, taken: &[String]) -> Verdict {
    match found {
        Found::These(texts) => match texts.iter().find(|parts| is_free(parts, taken)) {
            Some(parts) => return Verdict::Submitted(parts.clone()),
            None => return missing(doubted),
        },
        Found::None => return missing(doubted),
        Found::NotTold => {}
    }
    if now < doubted.decides_at {
        return Verdict::Later(false);
    }
    match doubted.policy {
        Policy::Resend if doubted.resent == 0 => Verdict::Resend,
        Policy::Keep | Policy::Resend => Verdict::GiveUp,
        Policy::Fail => Verdict::Fail,
    }
}

fn is_free(parts: &[SubmittedPart], taken: &[String]) -> bool {
    !parts.is_empty() && !parts.iter().any(|part| taken.contains(&part.carrier_sms_id))
}

fn missing(doubted: &Doubted) -> Verdict {
    if doubted.missing + 1 >= MISSING { Verdict::Send } else { Verdict::Later(true) }
}

/// Texts that are to be looked for, at most so many; each is put off by a minute. By `sms_doubted`.
///
/// # Errors
/// Contention or a database that is away.
pub async fn due(tx: &Transaction<'_>, now: Timestamp, most: i64) -> Result<Vec<(SmsId, RoomId, Slug)>, Failure> {
    let before = now.checked_sub(OVER).unwrap_or(now);
    let rows = sql::rows(
        tx,
        "with due as (
           select id from sms where state = 'unknown' and not is_given_up and claimed_at < $1
             and (looked_at is null or looked_at < $1)
           order by claimed_at limit $2 for update skip locked)
         update sms s set looked_at = $3 from due where s.id = due.id returning s.id, s.room_id, s.tenant",
        &[&before, &most, &now],
    )
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Those of these that are still unknown, locked.
///
/// # Errors
/// Contention or a database that is away.
pub async fn lock(tx: &Transaction<'_>, ids: &[SmsId]) -> Result<HashMap<SmsId, Doubted>, Failure> {
    let rows = sql::rows(
        tx,
        "select s.id, s.carrier, coalesce(s.claimed_at, s.requested_at), s.missing, s.resent, t.unanswered,
                t.unanswered_after_s
         from sms s join tenants t on t.id = s.tenant
         where s.id = any($1) and s.state = 'unknown' and not s.is_given_up order by s.id for update of s",
        &[&ids],
    )
    .await?;
    let doubted = rows.iter().map(|row| {
        let claimed_at: Timestamp = row.get(2);
        let after = SignedDuration::from_secs(row.get::<_, i32>(6).into());
        let policy = match row.get(5) {
            "resend" => Policy::Resend,
            "fail" => Policy::Fail,
            _ => Policy::Keep,
        };
        let doubted = Doubted {
            id: row.get(0),
            carrier: row.get(1),
            claimed_at,
            missing: row.get(3),
            resent: row.get(4),
            policy,
            decides_at: claimed_at.checked_add(after).unwrap_or(Timestamp::MAX),
        };
        (doubted.id, doubted)
    });
    Ok(doubted.collect())
}

/// Those of a carrier's ids that belong to texts of ours.
///
/// # Errors
/// Contention or a database that is away.
pub async fn taken(tx: &Transaction<'_>, carrier: &Slug, ids: &[&str]) -> Result<Vec<String>, Failure> {
    let text = "select carrier_sms_id from sms_parts where carrier = $1 and carrier_sms_id = any($2)";
    Ok(sql::rows(tx, text, &[carrier, &ids]).await?.iter().map(|row| row.get(0)).collect())
}

/// Writes a verdict that leaves the text unknown, or asks for it anew: requested as if it had never been claimed.
///
/// # Errors
/// Contention or a database that is away.
pub async fn write(
    tx: &Transaction<'_>,
    now: Timestamp,
    id: SmsId,
    verdict: &Verdict,
    cause: FactId,
) -> Result<(), Failure> {
    match verdict {
        Verdict::Submitted(_) | Verdict::Fail => {}
        Verdict::Send | Verdict::Resend => {
            let by = i32::from(*verdict == Verdict::Resend);
            sql::touch(
                tx,
                "update sms set state = 'requested', reason = null, claimed_at = null, tries_since = null, missing = 0,
                        requested_at = $2, resent = resent + $3 where id = $1 and state = 'unknown'",
                &[&id, &now, &by],
            )
            .await?;
        }
        Verdict::GiveUp => {
            sql::touch(tx, "update sms set is_given_up = true where id = $1 and state = 'unknown'", &[&id]).await?;
        }
        Verdict::Later(is_missing) => {
            let by = i32::from(*is_missing);
            sql::touch(tx, "update sms set missing = missing + $2 where id = $1", &[&id, &by]).await?;
        }
    }
    let word = match verdict {
        Verdict::Submitted(_) => "found",
        Verdict::Send => "never_left",
        Verdict::Resend => "resent",
        Verdict::Fail => "failed",
        Verdict::GiveUp => "given_up",
        Verdict::Later(_) => return Ok(()),
    };
    tracing::info!(sms_id = %id, cause_id = %cause, verdict = word, "a text whose answer was lost");
    metrics::counter!("texthub_doubts_total", "verdict" => word).increment(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn doubted(policy: Policy) -> Doubted {
        Doubted {
            id: SmsId(Uuid::from_u128(1)),
            carrier: Slug::new("wire").unwrap(),
            claimed_at: at(0),
            missing: 0,
            resent: 0,
            policy,
            decides_at: at(900),
        }
    }

    #[test]
    fn the_carriers_word_decides_before_any_policy() {
        let text = |id: &str| vec![SubmittedPart { part: 1, carrier_sms_id: id.into() }];
        let found = Found::These(vec![text("A"), text("B")]);
        for policy in [Policy::Keep, Policy::Resend, Policy::Fail] {
            let doubted = doubted(policy);
            assert_eq!(decide(at(1000), &doubted, &found, &[]), Verdict::Submitted(text("A")));
            assert_eq!(decide(at(1000), &doubted, &found, &["A".into()]), Verdict::Submitted(text("B")));
            assert_eq!(decide(at(1000), &doubted, &Found::None, &[]), Verdict::Later(true), "once may be too early");
            let again = Doubted { missing: 1, ..doubted };
            assert_eq!(decide(at(60), &again, &Found::None, &[]), Verdict::Send);
            assert_eq!(decide(at(60), &again, &found, &["A".into(), "B".into()]), Verdict::Send, "those are others");
        }
    }

    #[test]
    fn where_the_carrier_does_not_tell_the_policy_decides_in_its_time_and_resends_once() {
        let of = |policy, now| decide(at(now), &doubted(policy), &Found::NotTold, &[]);
        assert_eq!(of(Policy::Resend, 899), Verdict::Later(false));
        assert_eq!(of(Policy::Resend, 900), Verdict::Resend);
        assert_eq!(of(Policy::Keep, 900), Verdict::GiveUp);
        assert_eq!(of(Policy::Fail, 900), Verdict::Fail);
        let again = Doubted { resent: 1, ..doubted(Policy::Resend) };
        assert_eq!(decide(at(900), &again, &Found::NotTold, &[]), Verdict::GiveUp);
    }
}
