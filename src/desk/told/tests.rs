use super::*;
use crate::facts::said::{Author, Direction};

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn follows(agents: &[&str], watch: bool) -> Follows {
    Follows { agents: agents.iter().map(|agent| slug(agent)).collect(), watch, ..Follows::default() }
}

fn entry(seq: i32) -> Entry {
    Entry {
        seq,
        entry_id: Uuid::from_u128(u128::from(seq.unsigned_abs())),
        author: Author::Customer,
        agent: None,
        kind: "text".into(),
        direction: Direction::Inbound,
        text: format!("text {seq}"),
        at: Timestamp::UNIX_EPOCH,
        state: "received".into(),
        reason: None,
        parts: 1,
        encoding: None,
        flags: serde_json::json!([]),
        media: serde_json::json!([]),
        sms_id: None,
    }
}

/// Reads this contact as the gateway does, with all entries there are; what is told, as words.
fn tell(told: &mut Told, follows: &Follows, found: &Found) -> Vec<String> {
    let wanted = told.wanted(follows, std::slice::from_ref(found));
    let entries =
        wanted.iter().map(|after| (after.room_id, (after.seq + 1..=found.last_seq).map(entry).collect())).collect();
    let over = told.over(std::slice::from_ref(found));
    let end = |id: &OfferId| Settled { offer_id: id.0, outcome: "lapsed".into(), reason: Some("no_answer".into()) };
    let settled = over.iter().map(end).collect();
    let mut read = Read { contacts: vec![found.clone()], entries, settled, ..Read::default() };
    told.tell(follows, &mut read, &[]).iter().map(word).collect()
}

fn word((topic, event): &Telling) -> String {
    let to = match topic {
        Topic::Agent(agent) => agent.to_string(),
        Topic::Watch => "watch".into(),
    };
    let what = match event {
        Event::Contact { contact, .. } => format!("contact {} {}", contact.state, contact.entries.len()),
        Event::ContactGone { reason, .. } => format!("gone {}", reason.as_deref().unwrap_or("-")),
        Event::Entry { entry, .. } => format!("entry {}", entry.seq),
        Event::Offer { .. } => "offer".into(),
        Event::OfferGone { outcome, .. } => format!("offer_gone {outcome}"),
        Event::Session { .. } => "session".into(),
        Event::EntryState { state, .. } => format!("state {state}"),
        Event::Agent { agent } => format!("agent {}", agent.slots_used),
        Event::Refused { reason, .. } => format!("refused {reason}"),
    };
    format!("{to}: {what}")
}

#[test]
fn a_contact_is_told_whole_once_and_then_entry_by_entry() {
    let (mut told, a) = (Told::default(), follows(&["a"], false));
    let mut found = Found::sample(1, State::Active, Some("a"), 2);
    assert_eq!(tell(&mut told, &a, &found), ["a: contact active 2"]);
    assert!(tell(&mut told, &a, &found).is_empty(), "nothing changed");
    found.last_seq = 4;
    assert_eq!(tell(&mut told, &a, &found), ["a: entry 3", "a: entry 4"]);
    assert!(tell(&mut told, &a, &found).is_empty(), "the fact came twice");
    told.anew(&[found.room_id]);
    assert_eq!(tell(&mut told, &a, &found), ["a: contact active 4"], "a picture was fetched");
    found.session.as_mut().unwrap().deadline_at = Timestamp::from_second(60).unwrap();
    assert_eq!(tell(&mut told, &a, &found), ["a: session"]);
    let wrap_up = Found::sample(1, State::WrapUp, Some("a"), 4);
    assert_eq!(tell(&mut told, &a, &wrap_up), ["a: contact wrap_up 4"]);
    let mut closed = Found::sample(1, State::Closed, None, 4);
    closed.reason = Some("done".into());
    assert_eq!(tell(&mut told, &a, &closed), ["a: gone done"]);
    assert!(tell(&mut told, &a, &closed).is_empty() && told.rooms.is_empty() && told.contacts.is_empty());
}

#[test]
fn a_hole_between_what_was_told_and_what_was_read_is_filled_with_the_whole() {
    let (mut told, a) = (Told::default(), follows(&["a"], false));
    let mut found = Found::sample(1, State::Active, Some("a"), 2);
    tell(&mut told, &a, &found);
    found.last_seq = 90;
    let entries = [(found.room_id, (41..=90).map(entry).collect())].into();
    let mut read = Read { contacts: vec![found], entries, ..Read::default() };
    let telling: Vec<String> = told.tell(&a, &mut read, &[]).iter().map(word).collect();
    assert_eq!(telling, ["a: contact active 50"]);
}

#[test]
fn an_offer_is_told_until_it_ends_and_a_contact_that_moves_leaves_and_comes() {
    let (mut told, both) = (Told::default(), follows(&["a", "b"], false));
    let offered = Found::sample(1, State::Offered, Some("a"), 1).offered_to("a", 7);
    assert_eq!(tell(&mut told, &both, &offered), ["a: offer"]);
    assert!(tell(&mut told, &both, &offered).is_empty());
    let again = Found::sample(1, State::Offered, Some("b"), 1).offered_to("b", 8);
    assert_eq!(tell(&mut told, &both, &again), ["a: offer_gone lapsed", "b: offer"]);
    let active = Found::sample(1, State::Active, Some("b"), 1);
    assert_eq!(tell(&mut told, &both, &active), ["b: offer_gone lapsed", "b: contact active 1"]);
    // a transfer: b keeps it until a accepts
    let handed = Found::sample(1, State::Active, Some("b"), 1).offered_to("a", 9);
    assert_eq!(tell(&mut told, &both, &handed), ["a: offer"]);
    let moved = Found::sample(1, State::Active, Some("a"), 1);
    assert_eq!(tell(&mut told, &both, &moved), ["a: offer_gone lapsed", "b: gone moved", "a: contact active 1"]);
}

#[test]
fn nobody_is_told_of_what_is_a_strangers_and_who_watches_gets_summaries() {
    let mut told = Told::default();
    let mut found = Found::sample(1, State::Active, Some("c"), 3);
    assert!(tell(&mut told, &follows(&["a"], false), &found).is_empty() && told.contacts.is_empty());
    let watch = follows(&["a"], true);
    assert_eq!(tell(&mut told, &watch, &found), ["watch: contact active 0"]);
    assert!(tell(&mut told, &watch, &found).is_empty());
    found.last_seq = 4;
    assert_eq!(tell(&mut told, &watch, &found), ["watch: contact active 0"]);
    let mut closed = Found::sample(1, State::Closed, None, 4);
    closed.reason = Some("done".into());
    assert_eq!(tell(&mut told, &watch, &closed), ["watch: gone done"]);
}

/// A second tab reads all of it: the first one gets what it had not heard of yet, and only that.
#[test]
fn who_begins_is_told_nothing_and_who_was_there_what_the_snapshot_knew_first() {
    let (mut told, a) = (Told::default(), follows(&["a"], false));
    tell(&mut told, &a, &Found::sample(1, State::Active, Some("a"), 2));
    let beginning = Follows { beginning: [slug("a"), slug("b")].into(), ..a.clone() };
    let found = Found::sample(1, State::Active, Some("a"), 3);
    assert_eq!(told.wanted(&beginning, std::slice::from_ref(&found))[0].seq, 0);
    assert_eq!(tell(&mut told, &beginning, &found), ["a: entry 3"]);
    let other = Found::sample(2, State::Active, Some("b"), 5);
    assert!(tell(&mut told, &beginning, &other).is_empty());
    let both = follows(&["a", "b"], false);
    assert_eq!(tell(&mut told, &both, &Found::sample(2, State::Active, Some("b"), 6)), ["b: entry 6"]);
    told.forget(&[slug("b")], false);
    assert_eq!((told.contacts.len(), told.rooms.len()), (1, 1));
}

#[test]
fn states_agents_and_refusals_go_to_whom_they_concern() {
    let (mut told, a) = (Told::default(), follows(&["a", "b"], false));
    let found = Found::sample(1, State::Active, Some("a"), 2);
    tell(&mut told, &a, &found);
    let agent = Agent {
        id: slug("b"),
        state: crate::facts::heard::AgentState::Available,
        code: None,
        next_state: None,
        since: Timestamp::UNIX_EPOCH,
        slots_used: 2,
        limit: 5,
        sms_used: 2,
        sms_limit: None,
        chat_used: 0,
        chat_limit: None,
        skills: serde_json::json!([]),
        waiting: 0,
        why: None,
    };
    let refusal = |nr: u128| Refusal {
        id: FactId(Uuid::from_u128(nr)),
        fact: "reply.written".into(),
        reason: "opted_out".into(),
        sentence: "No.".into(),
    };
    let mut read = Read {
        texts: vec![(found.room_id, Uuid::from_u128(1), "delivered".into(), None)],
        agents: vec![agent.clone(), Agent { id: slug("stranger"), ..agent.clone() }],
        refused: vec![(refusal(1).id, slug("a"))],
        ..Read::default()
    };
    let telling: Vec<String> = told.tell(&a, &mut read, &[refusal(1), refusal(2)]).iter().map(word).collect();
    assert_eq!(telling, ["a: state delivered", "b: agent 2", "a: refused opted_out"]);
    let mut read = Read { agents: vec![agent], ..Read::default() };
    assert!(told.tell(&a, &mut read, &[]).is_empty());
}
