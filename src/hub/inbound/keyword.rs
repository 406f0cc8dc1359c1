//! STOP, START, HELP and a YES that was asked for, exactly: into the transcript and the ledger, with at most one automatic answer. STOP while
//! nobody has accepted ends the contact; while active it only blocks the composer. A keyword alone queues nobody.

use deadpool_postgres::Transaction;
use jiff::Timestamp;

use super::{Arrival, Conversation, Fate, Recorded, disabled, parked, plain};
use crate::facts::envelope::Publication;
use crate::facts::ids::{EntryId, SmsId};
use crate::facts::said::{Author, ContactOutcome, Direction};
use crate::failure::Failure;
use crate::hub::consent::{self, ConsentKind, Noted};
use crate::hub::contact::{self, Ending};
use crate::hub::entry::{self, Entry};
use crate::hub::outbound::{self, Outbound};
use crate::hub::room::{self, Closing, Ends};
use crate::hub::sender::{self, Withheld};
use crate::hub::session;
use crate::media;
use crate::sms::keywords::{self, Keyword, Wish};

pub(super) async fn record(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    word: Keyword,
    conversation: &mut Conversation,
) -> Result<Fate, Failure> {
    if conversation.room.is_none() && !arrival.point.is_live {
        return Ok(Err(disabled()));
    }
    if word.wish == Wish::Yes && !consent::awaits_yes(tx, &[arrival.party()]).await?.contains(&true) {
        return as_text(tx, now, arrival, conversation).await;
    }
    let (is_heard, answer) = answer(tx, now, arrival, word).await?;
    if matches!(word.wish, Wish::Start | Wish::Yes) && !is_heard {
        return as_text(tx, now, arrival, conversation).await;
    }
    let is_flood = conversation.floods(arrival);
    if is_flood && conversation.room.is_none() {
        sender::withhold(tx, now, Withheld::Flood, &[arrival]).await?;
        let said: Vec<Publication> = conversation.beside.take().map(|(_, said)| said).unwrap_or_default();
        let is_kept = !said.is_empty();
        return Ok(Ok(Recorded { said, is_kept }));
    }
    if conversation.room.is_none() {
        conversation.open(now, arrival);
    }
    let Some(mut entry) = conversation.entry(now, arrival) else { return Ok(Err(disabled())) };
    let answer = answer.filter(|_| !arrival.point.is_provider_managed && !is_flood);
    let reply = answer.and_then(|text| reply(now, arrival, word, text, conversation));
    entry.deadline_at = entry.deadline_at.filter(|_| conversation.session.is_some());
    let Some(room) = conversation.room.clone() else { return Ok(Err(disabled())) };
    if conversation.is_new {
        room::open(tx, &[&room], &[arrival.traceparent.as_deref()]).await?;
    }
    let entries: Vec<&Entry> = std::iter::once(&entry).chain(reply.as_ref().map(|r| &r.0)).collect();
    entry::append(tx, &entries).await?;
    outbound::request(tx, now, &reply.iter().map(|r| &r.1).collect::<Vec<_>>()).await?;
    if let Some(deadline) = entry.deadline_at {
        session::extend(tx, &[(room.id, deadline)]).await?;
    }
    let mut said: Vec<Publication> = conversation.beside.take().map(|(_, said)| said).unwrap_or_default();
    if conversation.is_new {
        said.push(room::say_opened(&room, "keyword"));
    }
    said.extend(entries.iter().map(|e| entry::say(e, &arrival.ends)));
    said.extend(media::asks(&entry, &arrival.ends));
    said.extend(reply.iter().map(|r| outbound::say(now, &r.1)));
    said.extend(consequences(tx, now, arrival, word, conversation).await?);
    let said = said.into_iter().map(|p| p.traced(arrival.traceparent.as_deref())).collect();
    Ok(Ok(Recorded { said, is_kept: true }))
}

/// The ledger: whether the word was one for it (or for HELP), and the automatic text that follows from it.
async fn answer(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    word: Keyword,
) -> Result<(bool, Option<String>), Failure> {
    let language = keywords::language_of(word, &arrival.ends.customer_number);
    let text = |which| arrival.point.text_in(which, language);
    let (kind, text) = match word.wish {
        Wish::Stop => (ConsentKind::OptOut, text(0)),
        Wish::Start | Wish::Yes => (ConsentKind::OptIn, text(1)),
        Wish::Help => {
            let is_out = consent::opted_out(tx, &[arrival.party()]).await?.contains(&true);
            return Ok((true, Some(text(2)).filter(|_| !is_out)));
        }
    };
    let has_changed = note(tx, now, arrival, kind, word).await?;
    Ok((has_changed, Some(text).filter(|_| has_changed)))
}

/// The word into the ledger, as wide as the tenant's policy is; whether it changed anything.
async fn note(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    kind: ConsentKind,
    word: Keyword,
) -> Result<bool, Failure> {
    let noted =
        Noted { scope: arrival.point.consent_scope, ..Noted::by_keyword(arrival.party(), kind, word.word, arrival.id) };
    Ok(consent::note(tx, now, &[noted]).await?.contains(&true))
}

/// What a blocked sender's word does: it counts, and is not answered.
pub(super) async fn of_blocked(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    word: Keyword,
) -> Result<(), Failure> {
    let kind = match word.wish {
        Wish::Help => return Ok(()),
        Wish::Stop => ConsentKind::OptOut,
        Wish::Yes if !consent::awaits_yes(tx, &[arrival.party()]).await?.contains(&true) => return Ok(()),
        Wish::Start | Wish::Yes => ConsentKind::OptIn,
    };
    note(tx, now, arrival, kind, word).await.map(|_| ())
}

/// START from somebody who never opted out, YES from somebody who was not asked: a text like any other.
async fn as_text(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    conversation: &mut Conversation,
) -> Result<Fate, Failure> {
    let text = Arrival { kind: super::Kind::Text, ..arrival.clone() };
    let mut alone = std::collections::HashMap::from([(arrival.ends.clone(), std::mem::take(conversation))]);
    Box::pin(parked::wake(tx, now, std::slice::from_ref(&text), &mut alone)).await?;
    let mut results = plain::record(tx, now, std::slice::from_ref(&text), &mut alone).await?;
    Ok(results.pop().map_or_else(|| Err(disabled()), |(_, result)| result))
}

fn reply(
    now: Timestamp,
    arrival: &Arrival,
    word: Keyword,
    text: String,
    conversation: &mut Conversation,
) -> Option<(Entry, Outbound)> {
    let carrier = arrival.point.carrier.clone()?;
    let mut entry = conversation.entry(now, arrival)?;
    let sms_id = SmsId(arrival.id.row("sms", 0));
    entry.id = EntryId(arrival.id.row("entry", 1));
    entry.ordinal = 1;
    entry.direction = Direction::Outbound;
    entry.author = Author::Hub;
    entry.parts = entry::parts_of(&text);
    entry.text.clone_from(&text);
    entry.flags = None;
    entry.media = None;
    entry.written_at = now;
    entry.sms_id = Some(sms_id);
    let outbound = Outbound {
        id: sms_id,
        room_id: entry.room_id,
        entry_id: entry.id,
        seq: entry.seq,
        ends: Ends::clone(&arrival.ends),
        carrier,
        text,
        media: None,
        is_confirmation: word.wish == Wish::Stop,
        caused_by: arrival.id,
    };
    Some((entry, outbound))
}

/// STOP before anybody accepted ends the contact; a room that a keyword opened is closed at once.
async fn consequences(
    tx: &Transaction<'_>,
    now: Timestamp,
    arrival: &Arrival,
    word: Keyword,
    conversation: &Conversation,
) -> Result<Vec<Publication>, Failure> {
    let outcome = (word.wish == Wish::Stop).then_some(ContactOutcome::OptedOut);
    let Some(contact) = &conversation.contact else {
        let Some(room) = &conversation.room else { return Ok(Vec::new()) };
        let reason = if word.wish == Wish::Stop { "opted_out" } else { "keyword" };
        room::close(tx, now, &[Closing { id: room.id, cause: arrival.id, reason: reason.into(), outcome }]).await?;
        return Ok(vec![room::say_closed(now, arrival.id, room.id, &room.ends, reason)]);
    };
    if word.wish != Wish::Stop || !matches!(contact.state.as_str(), "prequeue" | "queued" | "offered") {
        return Ok(Vec::new());
    }
    let ending = Ending {
        cause: arrival.id,
        contact_id: contact.id,
        outcome,
        reason: "opted_out".into(),
        disposition: None,
        note: None,
        by: None,
        is_final: true,
    };
    Ok(contact::end(tx, now, &[ending]).await?.into_iter().flatten().flatten().collect())
}
