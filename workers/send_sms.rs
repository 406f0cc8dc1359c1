//! sms.requested → carrier (outside world) → sms.submitted, sms.failed, sms.unanswered, sms.held. Claims in one
//! transaction (consent read again, order in the room), calls without one, settles in another. A text whose answer was
//! lost is never sent again by itself; one that a carrier does not want now goes up the ladder, all of that carrier on
//! one rung, and after a minute waits as a row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::facts::envelope::{Message, Reason};
use texthub::facts::ids::{RoomId, Slug, SmsId};
use texthub::facts::said::{SmsRequested, SmsStatus, SubmittedPart};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::consent::{self, ConsentKind};
use texthub::runtime::worker::{Caller, Claim, Context, Outcome};
use texthub::sms::carrier::lines::{Line, Lines};
use texthub::sms::carrier::pause::Pauses;
use texthub::sms::carrier::{Outgoing, Sent, Surroundings};
use texthub::sms::leaving::Leaving;
use texthub::sms::number::recipient;
use texthub::sms::pace::{self, meter::Meter};
use texthub::sms::quiet::{self, Decision};
use texthub::sms::sending::{self, Sms, Standing, Step};
use texthub::sms::turn::{self, Asked, Turn};

use leaving::{leaves, outgoing};
use said::{failed, held, held_until, say_again, submitted, unanswered};

heard! {
    /// What is to leave.
    pub enum ToSend { SmsRequested(SmsRequested) }
}

/// The worker. It remembers connections, pauses and paces of carriers, nothing that matters.
pub struct SendSms {
    lines: Lines,
    pauses: Pauses,
    meter: Meter,
}

/// An open line, and whether its account was refused.
type Usable = (Arc<Line>, bool);

/// A claimed text.
pub struct Job {
    sms: Sms,
    outgoing: Outgoing,
    line: Arc<Line>,
}

/// How soon a text asks again whose predecessor is on its way; doubled with every try, up to the longest.
const TURN: Duration = Duration::from_millis(250);
/// Why a text waits whose predecessor in the room did not go through.
const PREDECESSOR: &str = "predecessor";
const LONGEST: Duration = Duration::from_secs(8);

impl SendSms {
    /// With what connections need to know of their surroundings.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        Self { lines: Lines::new(around), pauses: Pauses::default(), meter: Meter::default() }
    }

    /// With the simulator alone.
    #[cfg(test)]
    pub fn by_simulator(url: &str) -> Self {
        Self::new(Surroundings { simulator_url: url.to_owned(), ..Surroundings::default() })
    }

    /// The same connections, no pauses.
    #[cfg(test)]
    pub fn afresh(&self) -> Self {
        Self { lines: self.lines.clone(), pauses: Pauses::default(), meter: Meter::default() }
    }
}

impl Caller for SendSms {
    const NAME: &'static str = "send_sms";
    const PARTITIONED: bool = true;
    type Fact = ToSend;
    type Job = Job;
    type Answer = Sent;

    async fn claim(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<ToSend>],
    ) -> Result<Vec<Claim<Job>>, Failure> {
        let ids: Vec<SmsId> = batch.iter().map(|m| body(m).sms_id).collect();
        let rows = sending::lock(tx, &ids).await?;
        let found: Vec<(&Message<ToSend>, &Sms)> =
            batch.iter().filter_map(|m| rows.get(&body(m).sms_id).map(|sms| (m, sms))).collect();
        let lines = self.connect(tx, &found).await?;
        let turns = self.decide(tx, ctx, &found, &lines).await?;
        let mut leaving: HashMap<SmsId, Leaving> =
            found.iter().zip(&turns).filter_map(|(f, t)| leaves(*f, t, &lines)).collect();
        let known = take(tx, ctx, &found, &turns, &leaving).await?;
        let mut turns = turns.into_iter();
        Ok(batch
            .iter()
            .map(|message| {
                let fact = body(message);
                let Some(sms) = rows.get(&fact.sms_id) else {
                    let reason = Reason::new("not_found", "no text was requested under this sms_id");
                    return Claim::Settled(Outcome::Reject(reason));
                };
                let done = |publication| Claim::Settled(Outcome::Done(vec![publication]));
                match (turns.next(), lines.get(&sms.carrier)) {
                    (Some(Turn::Send), Some((line, _))) => {
                        let sent = leaving.remove(&sms.id).and_then(|leaving| leaving.sent);
                        Claim::Call(Job { sms: sms.clone(), outgoing: outgoing(fact, sent), line: Arc::clone(line) })
                    }
                    (Some(Turn::OptedOut), _) => done(failed(message, sms, ctx.now, "opted_out")),
                    (Some(Turn::Refuse(word)), _) => done(failed(message, sms, ctx.now, word)),
                    (Some(Turn::Unanswered), _) => done(unanswered(message, sms, ctx.now, &[], "claimed_before")),
                    (Some(Turn::Until(until, why)), _) => done(held_until(message, sms, ctx.now, until, why)),
                    (Some(Turn::Hold(why)), _) => done(held(message, sms, ctx.now, why)),
                    (Some(Turn::Known), _) => Claim::Settled(say_again(message, sms, known.get(&sms.id), ctx.now)),
                    (Some(Turn::Wait(why)), _) => {
                        Claim::Settled(Outcome::Later(self.wait(message, sms, why, ctx.now), waits(why)))
                    }
                    (Some(Turn::Send), None) | (None, _) => {
                        Claim::Settled(Outcome::Later(LONGEST, waits("carrier_unusable")))
                    }
                }
            })
            .collect())
    }

    async fn call(&self, job: &Job) -> Sent {
        job.line.send(&job.outgoing).await
    }

    fn lane(job: &Job) -> String {
        job.sms.room_id.to_string()
    }

    fn rest(sent: &Sent) -> Option<Sent> {
        // one call of a room may run into its time-out, not all that follow: they come again by themselves
        use Sent::{Account, NotNow, Partly, TooFast, Unanswered};
        matches!(sent, NotNow(..) | TooFast(..) | Unanswered(_) | Partly(..) | Account(_))
            .then(|| Sent::NotNow(None, PREDECESSOR.to_owned()))
    }

    async fn settle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<ToSend>],
        answers: &[(usize, Job, Sent)],
    ) -> Result<Vec<(usize, Outcome)>, Failure> {
        let ids: Vec<SmsId> = answers.iter().map(|(_, job, _)| job.sms.id).collect();
        sending::lock(tx, &ids).await?;
        let steps: Vec<Step> =
            answers.iter().map(|(index, job, sent)| step(ctx.now, &batch[*index], &job.sms, sent)).collect();
        let taken = sending::advance(tx, ctx.now, &steps).await?;
        let parts: Vec<(SmsId, &Slug, &SubmittedPart)> =
            answers.iter().flat_map(|(_, job, sent)| accepted(job, sent)).collect();
        sending::add_parts(tx, &parts).await?;
        self.pace(ctx.now, answers);
        pacing::slow(tx, ctx.now, &self.meter, answers).await?;
        note_refusals(tx, ctx, batch, answers).await?;
        Ok(answers
            .iter()
            .zip(&steps)
            .map(|((index, job, sent), step)| {
                let outcome = if taken.contains(&step.id) {
                    self.outcome(ctx.now, &batch[*index], job, sent, step)
                } else {
                    // somebody else found it claimed and said so; the carrier's word, if there is one, comes as a receipt
                    Outcome::silent()
                };
                (*index, outcome)
            })
            .collect())
    }
}

impl SendSms {
    /// The lines of these texts' carriers; one that cannot be used is missing.
    async fn connect(
        &self,
        tx: &Transaction<'_>,
        found: &[(&Message<ToSend>, &Sms)],
    ) -> Result<HashMap<Slug, Usable>, Failure> {
        let mut slugs: Vec<Slug> = found.iter().map(|(_, sms)| sms.carrier.clone()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        let rows = sending::carriers(tx, &slugs).await?;
        let missing = slugs.iter().filter(|slug| !rows.contains_key(*slug));
        for slug in missing {
            tracing::error!(carrier = %slug, "texts wait for a carrier that is not set up");
        }
        let open = |(slug, carrier): (Slug, Standing)| Some((slug, (self.lines.of(&carrier.row)?, carrier.is_paused)));
        Ok(rows.into_iter().filter_map(open).collect())
    }

    /// Whose turn it is: consent as of this transaction, order in the rooms, pauses of carriers, paces.
    async fn decide(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        found: &[(&Message<ToSend>, &Sms)],
        lines: &HashMap<Slug, Usable>,
    ) -> Result<Vec<Turn>, Failure> {
        let parties: Vec<consent::Party> =
            found.iter().map(|(_, s)| (s.tenant.as_str(), s.our_number.as_str(), s.customer_number.as_str())).collect();
        let mut rooms: Vec<RoomId> = found.iter().map(|(_, sms)| sms.room_id).collect();
        rooms.sort_unstable();
        rooms.dedup();
        let ids: Vec<SmsId> = found.iter().map(|(_, sms)| sms.id).collect();
        let texts: Vec<&Sms> = found.iter().map(|(_, sms)| *sms).collect();
        let (opted_out, unsent, quiet, expired, paces) = tokio::try_join!(
            biased;
            consent::opted_out(tx, &parties),
            sending::unsent(tx, ctx.now, &rooms),
            quiet::rows::at_claim(tx, ctx.now, &ids),
            sending::expired(tx, ctx.now, &ids),
            pace::rows::of(tx, &texts),
        )?;
        let asked: Vec<Asked<'_>> = found
            .iter()
            .zip(opted_out)
            .map(|((message, sms), is_opted_out)| {
                let is_busy = self.pauses.until(&sms.carrier).is_some_and(|until| until > ctx.now);
                let (paused, takes_our_id) = match lines.get(&sms.carrier) {
                    None => (Some("carrier_unusable"), false),
                    Some((line, true)) => (Some("carrier_paused"), line.connection.takes_our_id()),
                    Some((line, false)) => (is_busy.then_some("carrier_busy"), line.connection.takes_our_id()),
                };
                Asked {
                    sms,
                    id: message.id,
                    attempt: message.attempt,
                    is_redelivered: message.is_redelivered,
                    is_opted_out,
                    unfit: recipient::never(&sms.customer_number)
                        .or(quiet.get(&sms.id).and_then(Decision::never))
                        .or(expired.contains(&sms.id).then_some("expired")),
                    quiet: quiet.get(&sms.id).and_then(|decision| decision.until),
                    paused,
                    takes_our_id,
                }
            })
            .collect();
        pacing::paced(tx, ctx.now, found, turn::decide(ctx.now, &asked, &unsent), lines, &paces).await
    }

    /// Pauses the carriers that did not want a text now, each once, and ends the pause of those that took one.
    fn pace(&self, now: Timestamp, answers: &[(usize, Job, Sent)]) {
        let mut busy: HashMap<&Slug, Option<Duration>> = HashMap::new();
        for (_, job, sent) in answers {
            if let Sent::NotNow(wait, why) | Sent::TooFast(wait, why) = sent
                && why != PREDECESSOR
            {
                let longest = busy.entry(&job.sms.carrier).or_default();
                *longest = (*longest).max(*wait);
            }
        }
        for (_, job, sent) in answers {
            if matches!(sent, Sent::Accepted(_) | Sent::Partly(..)) && !busy.contains_key(&job.sms.carrier) {
                self.pauses.end(&job.sms.carrier);
            }
        }
        for (carrier, wait) in busy {
            self.pauses.begin(carrier, now, wait);
        }
    }

    fn wait(&self, message: &Message<ToSend>, sms: &Sms, why: &'static str, now: Timestamp) -> Duration {
        match why {
            pace::PACED => TURN.saturating_mul(1 << message.attempt.min(8)).min(LONGEST),
            PREDECESSOR if self.pauses.until(&sms.carrier).is_none_or(|until| until <= now) => {
                TURN.saturating_mul(1 << message.attempt.min(8)).min(LONGEST)
            }
            "being_sent" | "sent_beside" => LONGEST,
            _ => self.pauses.rung(&sms.carrier),
        }
    }

    fn outcome(&self, now: Timestamp, message: &Message<ToSend>, job: &Job, sent: &Sent, step: &Step) -> Outcome {
        let reason = step.reason.as_deref().unwrap_or_default();
        let publication = match (step.to, sent) {
            (_, Sent::Accepted(parts)) => submitted(message, &job.sms, now, parts.clone()),
            (SmsStatus::Held, _) => held(message, &job.sms, now, reason),
            (SmsStatus::Requested, _) => {
                return Outcome::Later(self.pauses.rung(&job.sms.carrier), waits("carrier_busy"));
            }
            (SmsStatus::Failed, _) => failed(message, &job.sms, now, reason),
            _ => unanswered(message, &job.sms, now, sent.taken(), reason),
        };
        Outcome::Done(vec![publication])
    }
}

/// Writes what was decided; hands back the parts of texts that are further already.
async fn take(
    tx: &Transaction<'_>,
    ctx: &Context,
    found: &[(&Message<ToSend>, &Sms)],
    turns: &[Turn],
    leaving: &HashMap<SmsId, Leaving>,
) -> Result<HashMap<SmsId, Vec<SubmittedPart>>, Failure> {
    let (mut steps, mut waiting, mut known, mut held) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((message, sms), turn) in found.iter().zip(turns) {
        let mut go = |to, reason: Option<&str>| {
            let leaving = leaving.get(&sms.id).filter(|_| to == SmsStatus::Sending).cloned();
            steps.push(Step { id: sms.id, to, reason: reason.map(str::to_owned), cause: message.id, leaving });
        };
        match turn {
            Turn::Send => go(SmsStatus::Sending, None),
            Turn::OptedOut => go(SmsStatus::Failed, Some("opted_out")),
            Turn::Refuse(word) => go(SmsStatus::Failed, Some(word)),
            Turn::Unanswered => go(SmsStatus::Unknown, Some("claimed_before")),
            Turn::Until(until, why) => held.push((sms.id, message.id, *until, *why)),
            Turn::Hold(why) => go(SmsStatus::Held, Some(why)),
            Turn::Wait(_) => waiting.push(sms.id),
            Turn::Known => known.push(sms.id),
        }
    }
    sending::advance(tx, ctx.now, &steps).await?;
    sending::begin_tries(tx, ctx.now, &waiting).await?;
    sending::hold(tx, &held).await?;
    quiet::rows::count(held.iter().filter(|(.., why)| *why == quiet::HELD).count());
    if known.is_empty() { Ok(HashMap::new()) } else { sending::parts(tx, &known).await }
}

/// What a carrier knows beyond the text: its recipient opted out, or the account is refused, which somebody must see.
async fn note_refusals(
    tx: &Transaction<'_>,
    ctx: &Context,
    batch: &[Message<ToSend>],
    answers: &[(usize, Job, Sent)],
) -> Result<(), Failure> {
    let (mut accounts, mut opted_out) = (HashMap::new(), BTreeMap::<&Slug, Vec<_>>::new());
    for (index, job, sent) in answers {
        match sent {
            Sent::Account(code) => _ = accounts.insert(&job.sms.carrier, code.as_str()),
            Sent::OptedOut(_) => {
                let sms = &job.sms;
                let party = (sms.tenant.as_str(), sms.our_number.as_str(), sms.customer_number.as_str());
                opted_out.entry(&sms.carrier).or_default().push((party, ConsentKind::OptOut, batch[*index].id));
            }
            _ => {}
        }
    }
    for (carrier, code) in &accounts {
        metrics::counter!("texthub_carriers_paused_total", "carrier" => carrier.to_string()).increment(1);
        tracing::error!(carrier = %carrier, code, "the carrier refuses the account; texts wait until `texthub carriers resume`");
    }
    sending::pause(tx, ctx.now, &accounts).await?;
    for (carrier, told) in opted_out {
        consent::note_of_carrier(tx, ctx.now, carrier, &told).await?;
    }
    Ok(())
}

/// Where an answer leads.
fn step(now: Timestamp, message: &Message<ToSend>, sms: &Sms, sent: &Sent) -> Step {
    let is_over = turn::is_over(now, sms, message.attempt);
    let (to, reason) = match sent {
        Sent::Accepted(_) => (SmsStatus::Submitted, None),
        Sent::Refused(code) | Sent::OptedOut(code) => (SmsStatus::Failed, Some(code)),
        // nothing goes until somebody has looked: as a row at once
        Sent::Account(code) => (SmsStatus::Held, Some(code)),
        Sent::NotNow(_, code) | Sent::TooFast(_, code) if is_over => (SmsStatus::Held, Some(code)),
        Sent::NotNow(_, code) | Sent::TooFast(_, code) => (SmsStatus::Requested, Some(code)),
        Sent::Unanswered(why) | Sent::Partly(_, why) => (SmsStatus::Unknown, Some(why)),
    };
    Step { id: sms.id, to, reason: reason.cloned(), cause: message.id, leaving: None }
}

fn accepted<'a>(job: &'a Job, sent: &'a Sent) -> impl Iterator<Item = (SmsId, &'a Slug, &'a SubmittedPart)> {
    sent.taken().iter().map(|part| (job.sms.id, &job.sms.carrier, part))
}

fn body(message: &Message<ToSend>) -> &SmsRequested {
    let ToSend::SmsRequested(fact) = &message.body;
    fact
}

fn waits(why: &'static str) -> Reason {
    Reason::new(why, "the text is tried again")
}

mod leaving;
mod pacing;
mod said;
#[cfg(test)]
pub mod tests;
