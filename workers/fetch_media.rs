//! media.asked → what a customer's link leads to (outside world) → media.settled. Claimed in a transaction, fetched
//! without one through the guarded client, settled in another with its contents. What may pass (no answer, a server's
//! error, not there yet) is tried again up the ladder, for a day; what is too large, of another kind, or at an address
//! that is not public is refused. Links hold secrets: none is logged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use texthub::facts::envelope::{Message, Reason};
use texthub::facts::ids::{MediaId, Slug};
use texthub::facts::media::{MediaAsked, MediaState};
use texthub::failure::Failure;
use texthub::heard;
use texthub::media::kinds::judge;
use texthub::media::{self, Came, Medium};
use texthub::outside::Outside;
use texthub::outside::addresses::Allowed;
use texthub::outside::fetch::{Fetch, Fetched, Miss};
use texthub::runtime::worker::{Caller, Claim, Context, Outcome};
use texthub::sms::carrier::Surroundings;
use texthub::sms::carrier::lines::{Line, Lines};
use texthub::sms::sending;

heard! {
    /// What is to be fetched.
    pub enum Asked { MediaAsked(MediaAsked) }
}

/// For one medium, redirects and all.
const WITHIN: Duration = Duration::from_secs(30);
/// The longest that a try takes, with what is around it: whoever claimed it is gone then.
const TRY_LASTS: SignedDuration = SignedDuration::from_secs(90);
/// How long a medium is tried.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// Seconds before the next try, by tries so far; the last of them from then on.
const WAITS_S: [u64; 6] = [5, 30, 120, 480, 1_920, 7_200];
/// A message that comes so much before its medium is due is not the one that it waits for.
const EARLY: SignedDuration = SignedDuration::from_secs(3);
/// Tries after which a medium that is not there will not come.
const NOT_THERE: i32 = 4;

/// The worker. It remembers connections of carriers, nothing that matters.
pub struct FetchMedia {
    outside: Outside,
    lines: Lines,
    most: usize,
    within: Duration,
}

impl FetchMedia {
    /// With the networks that the operator opened, and most bytes of a medium.
    #[must_use]
    pub fn new(allowed: Allowed, around: Surroundings, most: usize) -> Self {
        Self { outside: Outside::new(allowed), lines: Lines::new(around), most, within: WITHIN }
    }
}

/// A claimed medium.
pub struct Job {
    medium: Medium,
    line: Option<Arc<Line>>,
}

/// What a try found: contents under their type, or why not.
pub type Found = Result<(Vec<u8>, String), Miss>;

impl Caller for FetchMedia {
    const NAME: &'static str = "fetch_media";
    // their contents are in memory together
    const MOST: usize = 8;
    type Fact = Asked;
    type Job = Job;
    type Answer = Found;

    async fn claim(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Asked>],
    ) -> Result<Vec<Claim<Job>>, Failure> {
        let asked: Vec<(&Slug, MediaId)> = batch.iter().map(|m| (&body(m).tenant, body(m).media_id)).collect();
        let mut rows = media::lock(tx, &asked).await?;
        let lines = self.connect(tx, &rows).await?;
        let mut met: HashSet<MediaId> = HashSet::new();
        let turns: Vec<Turn> = batch
            .iter()
            .map(|message| match rows.get(&body(message).media_id) {
                Some(medium) if met.insert(medium.id) => turn(ctx.now, medium, message.is_redelivered),
                Some(_) => Turn::UnderWay,
                None => Turn::Unknown,
            })
            .collect();
        let of = |turn: Turn| turns.iter().zip(batch).filter(move |(t, _)| **t == turn).map(|(_, m)| body(m).media_id);
        media::claim(tx, ctx.now, &of(Turn::Fetch).collect::<Vec<_>>()).await?;
        for id in of(Turn::Fetch) {
            rows.entry(id).and_modify(|medium| medium.tries += 1);
        }
        let claimed = |message: &Message<Asked>, turn| {
            let medium = rows.get(&body(message).media_id);
            match (turn, medium) {
                (Turn::Fetch, Some(medium)) => {
                    let line = medium.carrier.as_ref().and_then(|carrier| lines.get(carrier)).cloned();
                    Claim::Call(Job { medium: medium.clone(), line })
                }
                (Turn::Known, Some(medium)) => Claim::Settled(Outcome::Done(vec![
                    media::say(ctx.now, medium).traced(message.traceparent.as_deref()),
                ])),
                (Turn::UnderWay, _) => {
                    let reason = Reason::new("being_fetched", "this medium is being fetched");
                    Claim::Settled(Outcome::Later(Duration::from_secs(30), reason))
                }
                (Turn::Early, _) => Claim::Settled(Outcome::silent()),
                _ => {
                    Claim::Settled(Outcome::Reject(Reason::new("not_found", "no text of this tenant has this medium")))
                }
            }
        };
        Ok(batch.iter().zip(&turns).map(|(message, turn)| claimed(message, *turn)).collect())
    }

    async fn call(&self, job: &Job) -> Found {
        let authorization = |url: &reqwest::Url| job.line.as_ref().and_then(|line| line.connection.authorization(url));
        let fetch = Fetch { url: &job.medium.url, within: self.within, most: self.most, authorization: &authorization };
        let Fetched { bytes, content_type } = self.outside.fetch(&fetch).await?;
        match judge(&job.medium.told, content_type.as_deref(), &bytes) {
            Ok(name) => Ok((bytes, name)),
            Err(word) => Err(Miss { word: word.to_owned(), may_pass: false }),
        }
    }

    fn lane(job: &Job) -> String {
        job.medium.id.to_string()
    }

    async fn settle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Asked>],
        answers: &[(usize, Job, Found)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let mut came: Vec<(MediaId, Came<'_>)> =
            answers.iter().map(|(_, job, found)| (job.medium.id, came(ctx.now, &job.medium, found))).collect();
        came.sort_by_key(|(id, _)| *id);
        media::settle(tx, ctx.now, &came).await?;
        let asked: Vec<(&Slug, MediaId)> =
            answers.iter().map(|(_, job, _)| (&job.medium.tenant, job.medium.id)).collect();
        let rows = media::lock(tx, &asked).await?;
        Ok(answers
            .iter()
            .map(|(index, job, found)| (*index, outcome(ctx.now, &batch[*index], rows.get(&job.medium.id), found)))
            .collect())
    }
}

impl FetchMedia {
    /// The lines of the carriers that brought these; one that cannot be used is missing.
    async fn connect(
        &self,
        tx: &Transaction<'_>,
        rows: &HashMap<MediaId, Medium>,
    ) -> Result<HashMap<Slug, Arc<Line>>, Failure> {
        let slugs: HashSet<&Slug> = rows.values().filter_map(|medium| medium.carrier.as_ref()).collect();
        let slugs: Vec<Slug> = slugs.into_iter().cloned().collect();
        let rows = sending::carriers(tx, &slugs).await?;
        Ok(rows.into_iter().filter_map(|(slug, standing)| Some((slug, self.lines.of(&standing.row)?))).collect())
    }
}

fn body(message: &Message<Asked>) -> &MediaAsked {
    let Asked::MediaAsked(asked) = &message.body;
    asked
}

/// What is to be done about a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Try.
    Fetch,
    /// Somebody is fetching it.
    UnderWay,
    /// Another message will come for it.
    Early,
    /// It is settled.
    Known,
    /// No text of this tenant has it.
    Unknown,
}

fn turn(now: Timestamp, medium: &Medium, is_redelivered: bool) -> Turn {
    let is_under_way = |at: Timestamp| !is_redelivered && now.duration_since(at) <= TRY_LASTS;
    match medium.state {
        MediaState::Waiting if medium.claimed_at.is_some_and(is_under_way) => Turn::UnderWay,
        MediaState::Waiting if medium.due_at.duration_since(now) > EARLY => Turn::Early,
        MediaState::Waiting => Turn::Fetch,
        _ => Turn::Known,
    }
}

/// What a try comes to.
fn came<'a>(now: Timestamp, medium: &Medium, found: &'a Found) -> Came<'a> {
    let miss = match found {
        Ok((bytes, name)) => return Came::Stored(bytes, name),
        Err(miss) => miss,
    };
    let word = miss.word.clone();
    let is_gone = word == "status_404" && medium.tries >= NOT_THERE;
    if !miss.may_pass && word.starts_with("status_") || is_gone {
        return Came::Failed(word);
    }
    if !miss.may_pass {
        return Came::Refused(word);
    }
    let tries = usize::try_from(medium.tries).unwrap_or(0).clamp(1, WAITS_S.len());
    let next = now.checked_add(Duration::from_secs(WAITS_S[tries - 1])).unwrap_or(now);
    if next.duration_since(medium.at) > PATIENCE { Came::Failed(word) } else { Came::Waits(word, next) }
}

/// By its row: whoever settled it, it is said the same.
fn outcome(now: Timestamp, message: &Message<Asked>, medium: Option<&Medium>, found: &Found) -> Outcome {
    let Some(medium) = medium else { return Outcome::silent() };
    let word = found.as_ref().err().map_or("stored", |miss| miss.word.as_str()).to_owned();
    metrics::counter!("texthub_media_total", "outcome" => word).increment(1);
    if medium.state != MediaState::Waiting {
        return Outcome::Done(vec![media::say(now, medium).traced(message.traceparent.as_deref())]);
    }
    let wait = Duration::try_from(medium.due_at.duration_since(now)).unwrap_or_default();
    Outcome::Later(wait, Reason::new("not_yet", "the medium is tried again"))
}

#[cfg(test)]
mod tests;
