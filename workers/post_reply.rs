//! reply.written, note.written, outreach.written, notice.written → entry, sms.requested; or a refusal with its reason. Replies of a
//! batch are set-based, in the order in which they came, and so are notices; outreach takes its own steps between them.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use texthub::facts::envelope::{Message, Publication};
use texthub::facts::heard::{NoteWritten, NoticeWritten, OutreachWritten, ReplyWritten};
use texthub::facts::ids::{FactId, Slug};
use texthub::failure::Failure;
use texthub::heard;
use texthub::hub::memory::{self, Seen};
use texthub::hub::refusal::{self, Refused};
use texthub::hub::written::Line;
use texthub::hub::written::notice::{self, Notice};
use texthub::hub::written::outreach::{self, Outreach};
use texthub::hub::written::reply::{self, Posted, Reply};
use texthub::runtime::worker::{Context, Outcome, Worker};

heard! {
    /// What agents and programs write.
    pub enum Written {
        ReplyWritten(ReplyWritten), NoteWritten(NoteWritten), OutreachWritten(OutreachWritten),
        NoticeWritten(NoticeWritten),
    }
}

/// The worker.
pub struct PostReply;

impl Worker for PostReply {
    const NAME: &'static str = "post_reply";
    const PARTITIONED: bool = true;
    type Fact = Written;

    async fn handle(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        batch: &[Message<Written>],
    ) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        let fresh = recall(tx, ctx, batch, &mut outcomes).await?;
        let mut kept = Vec::new();
        for run in fresh.chunk_by(|a, b| kind(&batch[*a]) == kind(&batch[*b]) && kind(&batch[*a]) != Kind::Outreach) {
            let messages = || run.iter().map(|nth| &batch[*nth]);
            let posted = match kind(&batch[run[0]]) {
                Kind::Line => reply::post(tx, ctx.now, &messages().filter_map(as_reply).collect::<Vec<_>>()).await?,
                Kind::Notice => {
                    let asks: Vec<Notice<'_>> = messages().filter_map(|message| as_notice(ctx.now, message)).collect();
                    notice::post(tx, ctx.now, &asks).await?
                }
                Kind::Outreach => match as_outreach(&batch[run[0]]) {
                    Some(ask) => vec![outreach::post(tx, ctx.now, &ask).await?],
                    None => Vec::new(),
                },
            };
            for (index, posted) in run.iter().zip(posted) {
                outcomes[*index] = Some(Outcome::Done(settle(tx, ctx, &batch[*index], posted, &mut kept).await?));
            }
        }
        memory::keep_all_said(tx, Self::NAME, Some("recorded"), &kept).await?;
        Ok(outcomes.into_iter().map(|o| o.unwrap_or_else(Outcome::silent)).collect())
    }
}

/// The places of what was not heard before; repeats say what was said then.
async fn recall(
    tx: &Transaction<'_>,
    ctx: &Context,
    batch: &[Message<Written>],
    outcomes: &mut [Option<Outcome>],
) -> Result<Vec<usize>, Failure> {
    let messages: Vec<&Message<Written>> = batch.iter().collect();
    let tenants: Vec<Option<&Slug>> = batch.iter().map(|m| Some(tenant(&m.body))).collect();
    let seen = memory::remember(tx, ctx.now, PostReply::NAME, &messages, &tenants).await?;
    let (mut fresh, mut again) = (Vec::with_capacity(batch.len()), Vec::new());
    for (index, seen) in seen.into_iter().enumerate() {
        match seen {
            Seen::Fresh => fresh.push(index),
            Seen::Reused => outcomes[index] = Some(Outcome::Reject(memory::reused())),
            Seen::Repeat { said: Some(said), .. } => outcomes[index] = Some(Outcome::Done(said)),
            Seen::Repeat { .. } => again.push(index),
        }
    }
    if !again.is_empty() {
        let ids: Vec<FactId> = again.iter().map(|i| batch[*i].id).collect();
        let mut said: HashMap<FactId, Vec<Publication>> = reply::say_again(tx, &ids).await?;
        for index in again {
            let said = said.remove(&batch[index].id).unwrap_or_default();
            outcomes[index] = Some(Outcome::Done(traced(said, &batch[index])));
        }
    }
    Ok(fresh)
}

/// Refusals, outreach and notices are kept as said; a reply's publications follow from its rows.
async fn settle(
    tx: &Transaction<'_>,
    ctx: &Context,
    message: &Message<Written>,
    posted: Posted,
    kept: &mut Vec<(FactId, Vec<Publication>)>,
) -> Result<Vec<Publication>, Failure> {
    match posted {
        Posted::Done(said) => {
            let said = traced(said, message);
            if kind(message) != Kind::Line {
                kept.push((message.id, said.clone()));
            }
            Ok(said)
        }
        Posted::Refused(why, mut said) => {
            let refused = Refused { id: message.id, fact: message.fact, tenant: tenant(&message.body), why };
            said.extend(refusal::refuse(tx, ctx.now, &[refused]).await?);
            let said = traced(said, message);
            memory::keep_said(tx, PostReply::NAME, message.id, "refused", &said).await?;
            Ok(said)
        }
    }
}

/// What is written together.
#[derive(PartialEq)]
enum Kind {
    /// Replies and notes.
    Line,
    Notice,
    /// It takes its own steps, one by one.
    Outreach,
}

fn kind(message: &Message<Written>) -> Kind {
    match message.body {
        Written::ReplyWritten(_) | Written::NoteWritten(_) => Kind::Line,
        Written::NoticeWritten(_) => Kind::Notice,
        Written::OutreachWritten(_) => Kind::Outreach,
    }
}

fn traced(said: Vec<Publication>, message: &Message<Written>) -> Vec<Publication> {
    said.into_iter().map(|p| p.traced(message.traceparent.as_deref())).collect()
}

fn tenant(written: &Written) -> &Slug {
    match written {
        Written::ReplyWritten(reply) => &reply.tenant,
        Written::NoteWritten(note) => &note.tenant,
        Written::OutreachWritten(outreach) => &outreach.tenant,
        Written::NoticeWritten(notice) => &notice.tenant,
    }
}

fn as_reply(message: &Message<Written>) -> Option<Reply<'_>> {
    let id = message.id;
    match &message.body {
        Written::ReplyWritten(r) => {
            let media = r.media.as_ref().and_then(|links| serde_json::to_value(links).ok());
            let line = Line { id, agent: &r.agent, text: &r.text, media, written_at: r.written_at, is_note: false };
            Some(Reply { tenant: &r.tenant, room_id: r.room_id, line })
        }
        Written::NoteWritten(n) => {
            let line =
                Line { id, agent: &n.agent, text: &n.text, media: None, written_at: n.written_at, is_note: true };
            Some(Reply { tenant: &n.tenant, room_id: n.room_id, line })
        }
        Written::OutreachWritten(_) | Written::NoticeWritten(_) => None,
    }
}

fn as_outreach(message: &Message<Written>) -> Option<Outreach<'_>> {
    let Written::OutreachWritten(o) = &message.body else { return None };
    let media = o.media.as_ref().and_then(|links| serde_json::to_value(links).ok());
    let line = Line { id: message.id, agent: &o.agent, text: &o.text, media, written_at: o.written_at, is_note: false };
    Some(Outreach {
        tenant: &o.tenant,
        to: &o.to,
        our_number: o.our_number.as_deref(),
        skill: o.skill.as_ref(),
        purpose: o.purpose,
        line,
        traceparent: message.traceparent.as_deref(),
    })
}

fn as_notice(now: Timestamp, message: &Message<Written>) -> Option<Notice<'_>> {
    let Written::NoticeWritten(n) = &message.body else { return None };
    let media = n.media.as_ref().and_then(|links| serde_json::to_value(links).ok());
    let written_at = n.written_at.unwrap_or(now);
    let line = Line { id: message.id, agent: &n.tenant, text: &n.text, media, written_at, is_note: false };
    Some(Notice {
        tenant: &n.tenant,
        application: n.application.as_ref(),
        from: &n.from,
        from_country: n.from_country.as_deref(),
        to: &n.to,
        purpose: n.purpose,
        answers: n.answers,
        status_url: n.status_url.as_deref(),
        line,
        traceparent: message.traceparent.as_deref(),
    })
}

#[cfg(test)]
mod media;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod tests;
