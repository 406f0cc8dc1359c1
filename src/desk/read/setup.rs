//! What a tenant has set up, as its desks need it: four small statements in one round trip.

use deadpool_postgres::Transaction;

use crate::desk::shape::{Code, PointOfContact, QuickReply, Setup, Skill};
use crate::facts::ids::Slug;
use crate::facts::said::Channel;
use crate::failure::Failure;
use crate::hub::sql;

/// Codes, skills, points of contact and quick replies that are not ended.
///
/// # Errors
/// A database that is away.
pub async fn setup(tx: &Transaction<'_>, tenant: &Slug) -> Result<Setup, Failure> {
    let of: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[tenant];
    let codes =
        "select id, name, (max_s + 59) / 60 from codes where tenant = $1 and ended_at is null order by name, id";
    let skills = "select id, channel, wrap_up_s, dispositions, disposition_required, default_disposition, response_s
        from skills where tenant = $1 and ended_at is null order by id";
    let points = "select id, channel, number, kind, country, skill from points_of_contact
        where tenant = $1 and ended_at is null order by id";
    let replies = "select id, title, text, skill, language from quick_replies
        where tenant = $1 and ended_at is null order by title, id";
    let mut found = sql::together(tx, [(codes, of), (skills, of), (points, of), (replies, of)]).await?.into_iter();
    let mut next = || found.next().unwrap_or_default();
    let channel = |word: &str| word.parse().unwrap_or(Channel::Sms);
    Ok(Setup {
        codes: (next().iter()).map(|row| Code { id: row.get(0), name: row.get(1), max_minutes: row.get(2) }).collect(),
        skills: (next().iter())
            .map(|row| Skill {
                id: row.get(0),
                channel: channel(row.get(1)),
                wrap_up_s: row.get(2),
                dispositions: row.get(3),
                disposition_required: row.get(4),
                default_disposition: row.get(5),
                response_s: row.get(6),
            })
            .collect(),
        points_of_contact: (next().iter())
            .map(|row| PointOfContact {
                id: row.get(0),
                channel: channel(row.get(1)),
                number: row.get(2),
                kind: row.get(3),
                country: row.get(4),
                skill: row.get(5),
            })
            .collect(),
        quick_replies: (next().iter())
            .map(|row| QuickReply {
                id: row.get(0),
                title: row.get(1),
                text: row.get(2),
                skill: row.get(3),
                language: row.get(4),
            })
            .collect(),
    })
}
