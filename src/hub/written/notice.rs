//! Notices: a program texts a customer. In an open room the text is a line of it and moves the session's deadline, as
//! every text does; where none is open it opens one and closes it at once, so that the transcript has it and nobody's slot
//! is taken. Consent, quiet hours and numbers hold as for outreach.

mod fitting;
mod placing;

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::Line;
use crate::application::calls::News;
use crate::application::texts::{self, Sent};
use crate::application::{Application, calls, twilio};
use crate::facts::envelope::Publication;
use crate::facts::ids::{FactId, RoomId, Slug};
use crate::facts::purpose::Purpose;
use crate::facts::said::SmsStatus;
use crate::failure::Failure;
use crate::hub::entry;
use crate::hub::refusal::Refusal;
use crate::hub::room::Ends;
use crate::hub::written::reply::Posted;
use crate::tenant::point_of_contact::PointOfContact;

use fitting::Known;
use placing::Fit;

/// An asked notice.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// Whose.
    pub tenant: &'a Slug,
    /// Which application asked.
    pub application: Option<&'a Slug>,
    /// From which of our numbers.
    pub from: &'a str,
    /// Of a short code: its country, where it is named.
    pub from_country: Option<&'a str>,
    /// The customer's number.
    pub to: &'a str,
    /// What it is for, where somebody says so.
    pub purpose: Option<Purpose>,
    /// The fact that brought the text that it answers.
    pub answers: Option<FactId>,
    /// Where the application hears what became of it.
    pub status_url: Option<&'a str>,
    /// What.
    pub line: Line<'a>,
    /// The trace it belongs to.
    pub traceparent: Option<&'a str>,
}

/// Posts notices; the answers stand in their order. Those of one conversation go one after the other, all others
/// together. An application's is kept among its texts, done or refused.
pub async fn post(tx: &Transaction<'_>, now: Timestamp, asks: &[Notice<'_>]) -> Result<Vec<Posted>, Failure> {
    let mut known = Known::default();
    let mut posted: Vec<Option<Posted>> = asks.iter().map(|_| None).collect();
    for wave in waves(asks) {
        let asked: Vec<&Notice<'_>> = wave.iter().map(|nth| &asks[*nth]).collect();
        known.learn(tx, &asked).await?;
        let fitting = fitting::judge(tx, &known, &asked).await?;
        let mut fits = Vec::with_capacity(wave.len());
        for ((nth, ask), fitting) in wave.iter().zip(&asked).zip(fitting) {
            match fitting {
                Ok(point) => fits.push(Fit { nth: *nth, ask, by: known.application(ask), point }),
                Err(why) => posted[*nth] = Some(Posted::Refused(why, Vec::new())),
            }
        }
        for (nth, done) in placing::into_rooms(tx, now, &fits).await? {
            posted[nth] = Some(done);
        }
    }
    let mut posted: Vec<Posted> =
        posted.into_iter().map(|posted| posted.unwrap_or_else(|| Posted::Done(Vec::new()))).collect();
    for (ask, posted) in asks.iter().zip(&mut posted) {
        if let (Some(by), Posted::Refused(why, said)) = (known.application(ask), posted) {
            let ends = Ends {
                tenant: ask.tenant.clone(),
                channel: "sms".into(),
                our_number: entry::words(ask.from),
                our_country: String::new(),
                customer_number: entry::words(ask.to),
            };
            texts::keep(tx, now, &[(by, sent(ask, &ends, Err(why.word())))]).await?;
            said.extend(tell(tx, now, ask, by, *why).await?);
        }
    }
    Ok(posted)
}

/// The places of notices, so that within a wave each is of another conversation.
fn waves(asks: &[Notice<'_>]) -> Vec<Vec<usize>> {
    let mut waves = Vec::new();
    let mut rest: Vec<usize> = (0..asks.len()).collect();
    while !rest.is_empty() {
        let mut ends = HashSet::new();
        let (wave, later) = rest.into_iter().partition(|nth: &usize| {
            let ask = &asks[*nth];
            ends.insert((ask.tenant, ask.from, ask.to))
        });
        waves.push(wave);
        rest = later;
    }
    waves
}

/// From which point of contact it may leave, or why it may not; quiet hours apart, which depend on the room.
///
/// # Errors
/// Contention or a database that is away.
pub async fn fits(
    tx: &Transaction<'_>,
    ask: &Notice<'_>,
    by: &Application,
) -> Result<Result<PointOfContact, Refusal>, Failure> {
    let mut known = Known::of(by);
    known.learn(tx, &[ask]).await?;
    let judged = fitting::judge(tx, &known, &[ask]).await?.pop();
    Ok(judged.unwrap_or(Err(Refusal::NotFound)))
}

/// Whoever hears what becomes of the text hears that it was refused: the application may have left before that was known.
async fn tell(
    tx: &Transaction<'_>,
    now: Timestamp,
    ask: &Notice<'_>,
    by: &Application,
    why: Refusal,
) -> Result<Vec<Publication>, Failure> {
    if ask.status_url.or(by.status_url.as_deref()).is_none() {
        return Ok(Vec::new());
    }
    let news = News {
        tenant: by.tenant.clone(),
        application: by.id.clone(),
        sid: ask.line.id,
        status: twilio::status(SmsStatus::Failed),
        error: Some(twilio::error(why.word())),
        opt_out_type: None,
        cause: ask.line.id,
    };
    Ok(calls::ask(tx, now, &[news]).await?.into_values().flatten().collect())
}

fn sent<'a>(ask: &'a Notice<'_>, ends: &'a Ends, line: Result<(RoomId, i32), &'static str>) -> Sent<'a> {
    Sent { id: ask.line.id, is_reply: ask.answers.is_some(), ends, line, sms_id: None, status_url: ask.status_url }
}
