//! The audit of a hub that has worked is clean; each invariant, broken by hand, is found with its place.

use std::collections::HashSet;

use texthub::records::audit::{INVARIANTS, audit};
use tokio_postgres::IsolationLevel;

use super::{BEARS, COMPLAINTS, NORTH, ORDERS, accepted, bears, ended, one, parsed};
use crate::support::stack::{Stack, until};

/// A breach: which invariant, how it comes about, and a word of the line that tells it.
const BREACHES: &[(&str, &str, &str)] = &[
    (
        "one_open_room",
        "drop index rooms_open;
         insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
         select gen_random_uuid(), tenant, channel, our_number, customer_number, point_of_contact, now(), caused_by
         from rooms where closed_at is null limit 1",
        "2 open rooms",
    ),
    (
        "one_entry_per_text",
        "drop index entries_caused_by; update entries set caused_by = (select caused_by from entries limit 1), ordinal = 0",
        "entries",
    ),
    ("one_entry_per_text", "delete from entries where author = 'customer' and room_id = (select room_id from contacts
        where state = 'active')", "has no entry"),
    ("one_entry_per_text", "update heard set outcome = 'repeat', first_id = gen_random_uuid()
        where fact = 'sms.received'", "entry of its own"),
    ("one_entry_per_text", "update sms set seq = seq + 1", "is not the one of entry"),
    ("entries_gap_free", "update entries set seq = seq + 7 where author = 'agent'", "the last is number"),
    ("entries_gap_free", "update rooms set next_seq = 9", "the next will be 9"),
    ("entries_gap_free", "update entries set at = at - interval '1 h' where seq = 2", "older than the one before"),
    ("slots_are_counted", "update agents set slots_used = 0", "gretel of three-bears: 0 slots are noted, 3 are in use"),
    ("slots_are_counted", "update offers set slots = 2 where state = 'pending'", "3 slots are noted, 4 are in use"),
    ("slots_are_counted", "update agents set sms_used = 2 where id = 'gretel'", "2 contacts by sms are noted, there are 3"),
    ("limit_is_kept", "update agents set slot_limit = 2", "holds 3 slots, the limit is 2"),
    ("limit_is_kept", "update agents set sms_most = 2", "holds 3 contacts by sms, the limit is 2"),
    ("limit_is_the_users_or_the_teams", "update teams set session_limit = 7", "should be 7"),
    ("limit_is_the_users_or_the_teams", "update teams set chat_limit = 7", "the limit of contacts by chat is 12 and should be 7"),
    ("holders_are_reserved", "delete from sessions; delete from offers where state = 'accepted'", "has no offer of it"),
    ("holders_are_reserved", "update rooms set agent = 'hansel'", "is with hansel"),
    ("holders_are_reserved", "update contacts set agent = 'nobody' where state = 'active'", "no agent of three-bears"),
    (
        "nobody_waits_beside_a_free_slot",
        "update agents set session_limit = 4, slot_limit = 4, idle_since = now() - interval '1 h',
           moved_at = now() - interval '1 h' where id = 'gretel';
         update offers set settled_at = settled_at - interval '1 h';
         update contacts set closed_at = closed_at - interval '1 h';
         update contacts set queued_at = now() - interval '1 h', opened_at = now() - interval '1 h' where state = 'queued'",
        "while gretel of three-bears is free",
    ),
    ("the_ready_are_noted", "update agents set session_limit = 4, slot_limit = 4 where id = 'gretel'", "not noted"),
    (
        "the_ready_are_noted",
        "update agents set session_limit = 4, slot_limit = 4, sms_limit = 3, sms_most = 3 where id = 'gretel';
         insert into ready_agents (tenant, skill, agent, proficiency, idle_since, rank)
         values ('three-bears', 'porridge-orders', 'gretel', 1, now(), 1)",
        "and is not",
    ),
    (
        "the_ready_are_noted",
        "insert into ready_agents (tenant, skill, agent, proficiency, idle_since, rank)
         values ('three-bears', 'porridge-orders', 'gretel', 1, now(), 1)",
        "and is not",
    ),
    ("offers_and_contacts_agree", "update contacts set state = 'queued', agent = null where state = 'offered'", "pending"),
    ("offers_and_contacts_agree", "update offers set agent = 'hansel' where state = 'pending'", "is for hansel"),
    ("offers_and_contacts_agree", "update contacts set accepted_at = null where state = 'active'", "was never active"),
    (
        "offers_and_contacts_agree",
        "drop index contacts_living;
         insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at,
                               waiting_since, caused_by)
         select gen_random_uuid(), tenant, room_id, channel, skill, 'queued', 0, now(), now(), now(), caused_by
         from contacts where state = 'queued'",
        "2 living contacts",
    ),
    ("offers_and_contacts_agree", "update offers set from_agent = 'hansel' where state = 'pending'", "of hansel, who does"),
    ("queueing_time_is_kept", "update contacts set queued_at = now() + interval '1 h' where state = 'offered'", "after"),
    ("no_session_expires_early", "update sessions set end_reason = 'expired', ended_at = now()", "its deadline was"),
    ("sessions_are_armed", "update sessions set timer_due_at = now() - interval '1 h'", "its timer was due"),
    ("sessions_are_armed", "update sessions set deadline_at = now() - interval '1 h'", "its deadline was"),
    ("sessions_are_armed", "update sessions set timer_due_at = deadline_at + interval '1 h'", "after its deadline"),
    ("every_state_has_an_exit", "update offers set lapses_at = now() - interval '1 h'", "was to lapse"),
    ("every_state_has_an_exit", "update contacts set wrap_up_until = now() - interval '1 h'", "wrap-up was to end"),
    ("every_state_has_an_exit", "update sessions set ended_at = now(), end_reason = 'x'", "active without a session"),
    ("every_state_has_an_exit", "update contacts set state = 'parked', agent = null where state = 'active';
        update rooms set agent = null", "parked with nobody"),
    ("every_state_has_an_exit", "update contacts set state = 'parked', agent = null where state = 'active';
        update sessions set ended_at = now(), end_reason = 'x'", "parked without a session"),
    ("every_state_has_an_exit", "update contacts set answer_due_at = now() - interval '1 h' where state = 'active'",
        "an answer was due"),
    ("every_state_has_an_exit", "update agents set state = 'unavailable', unavailable_until = now() - interval '1 h'",
        "to be logged out"),
    ("every_state_has_an_exit", "update contacts set waiting_since = now() - interval '9 d' where state = 'queued'", "longer"),
    ("every_state_has_an_exit", "update agents set lease_until = now() - interval '1 h'", "the lease was over"),
    ("every_state_has_an_exit", "update agents set state = 'logged_out', vanished_at = now() - interval '1 h'", "vanished"),
    ("rooms_and_contacts_agree", "update contacts set state = 'closed', closed_at = now()", "without a living contact"),
    ("rooms_and_contacts_agree", "update rooms set closed_at = now()", "is closed, its contact"),
    ("rooms_and_contacts_agree", "update contacts set state = 'closed', closed_at = now() where state = 'active'", "session"),
    ("sends_move", "update sms set state = 'sending', claimed_at = now() - interval '1 h'", "is sending since"),
    (
        "nothing_leaves_after_stop",
        "update sms set is_confirmation = false, state = 'submitted', claimed_at = now() + interval '1 h'",
        "who had opted out",
    ),
    ("one_confirmation", "update sms set is_confirmation = true, caused_by = (select id from sms limit 1)", "confirmations"),
    ("one_confirmation", "alter table consent_entries disable trigger user; update consent_entries set changed = false;
         alter table consent_entries enable trigger user", "that was none"),
    ("opt_outs_follow_the_ledger", "delete from opt_outs", "the fold says otherwise"),
    (
        "opt_outs_follow_the_ledger",
        "insert into opt_outs (tenant, our_number, customer_number, since) values ('three-bears', '+1', '+2', now())",
        "no entry in the ledger that stands",
    ),
    (
        "tenants_are_apart",
        "insert into tenants (id, name, sms_messaging, time_zone, stop_text, start_text, help_text)
         values ('wolves', 'w', true, 'UTC', 's', 's', 'h');
         update rooms set tenant = 'wolves'",
        "of two tenants",
    ),
    ("tenants_are_apart", "update entries set contact_id = (select id from contacts where state = 'queued')", "another room"),
    ("tenants_are_apart", "update offers set tenant = 'wolves'", "of two tenants"),
    ("tenants_are_apart", "update sessions set tenant = 'wolves'", "session"),
    ("tenants_are_apart", "update sms set customer_number = '+15557999999'", "conversations"),
    ("tenants_are_apart", "insert into tenants (id, name, sms_messaging, time_zone, stop_text, start_text, help_text)
         values ('wolves', 'w', true, 'UTC', 's', 's', 'h'); update carriers set tenant = 'wolves'", "a carrier of wolves"),
];

/// A contact in each state: active with a text out, in wrap-up, offered, queued, closed; and a customer who said STOP.
async fn worked() -> Stack {
    let (stack, process) = bears().await;
    let desk = stack.desk(BEARS).await;
    desk.log_in("gretel").await;
    let first = accepted(&desk, "gretel", "+15557000001", ORDERS, "one bowl").await;
    ended(&desk, "gretel", &first).await;
    let active = accepted(&desk, "gretel", "+15557000002", ORDERS, "two bowls").await;
    desk.reply("gretel", &active.1, "coming").await;
    let wrapping = accepted(&desk, "gretel", "+15557000003", COMPLAINTS, "too cold").await;
    ended(&desk, "gretel", &wrapping).await;
    desk.text("+15557000004", ORDERS, "three bowls").await;
    desk.offer("gretel").await;
    desk.text("+15557000005", NORTH, "four bowls").await;
    desk.heard("entry.appended", |fact| fact["text"] == "four bowls").await;
    desk.text("+15557000006", ORDERS, "STOP").await;
    until("both texts are delivered", async || {
        one::<i64>(&stack, "select count(*) from sms where state = 'delivered'").await == 2
    })
    .await;
    process.kill();
    stack
}

async fn broken(stack: &Stack, breach: &str) -> Vec<(&'static str, String)> {
    let mut client = stack.database.pool.get().await.unwrap();
    let tx = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().await.unwrap();
    tx.batch_execute(breach).await.unwrap_or_else(|error| panic!("{breach}: {error:?}"));
    let findings = audit(&tx).await.unwrap();
    tx.rollback().await.unwrap();
    findings.into_iter().flat_map(|f| f.broken.into_iter().map(move |line| (f.invariant, line))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invariant_broken_by_hand_is_found() {
    let stack = worked().await;
    let out = stack.command(&["audit", "--json"]).success();
    assert_eq!(parsed(&out)["clean"], true, "{out}");
    for (name, breach, word) in BREACHES {
        let lines = broken(&stack, breach).await;
        let is_found = lines.iter().any(|(invariant, line)| invariant == name && line.contains(word));
        assert!(is_found, "{name} ({word}) is not found after {breach}; broken: {lines:#?}");
        let number = lines.iter().any(|(_, line)| line.contains("+1555"));
        assert!(!number, "a number is told: {lines:#?}");
    }
    let tried: HashSet<&str> = BREACHES.iter().map(|breach| breach.0).collect();
    let untried: Vec<&str> = INVARIANTS.iter().map(|i| i.name).filter(|name| !tried.contains(name)).collect();
    assert_eq!(untried, [""; 0], "an invariant that no breach tries");
}

#[tokio::test(flavor = "multi_thread")]
async fn cool_downs_holds_and_a_lowered_limit_are_no_breaches() {
    let stack = worked().await;
    let free = "update agents set session_limit = 4, slot_limit = 4, idle_since = now() - interval '1 h',
                  moved_at = now() - interval '1 h' where id = 'gretel';
                update offers set settled_at = settled_at - interval '1 h';
                update contacts set closed_at = closed_at - interval '1 h';
                delete from ready_agents; insert into ready_agents (tenant, skill, agent, proficiency, idle_since, rank)
                select tenant, skill, agent, proficiency, now(), proficiency from agent_skills where agent = 'gretel'
                and skill in ('porridge-orders', 'too-hot-too-cold');
                update contacts set queued_at = now() - interval '50 s', opened_at = now() - interval '50 s'
                where state = 'queued';";
    assert!(!broken(&stack, free).await.is_empty(), "it would be one otherwise");
    let cooling = "insert into offers (id, tenant, contact_id, room_id, agent, state, made_at, lapses_at, settled_at,
                     reason, caused_by, ordinal)
                   select gen_random_uuid(), tenant, id, room_id, 'gretel', 'refused', now() - interval '40 s', now(),
                     now() - interval '25 s', 'busy', gen_random_uuid(), 0 from contacts where state = 'queued'";
    assert_eq!(broken(&stack, &format!("{free} {cooling}")).await, []);
    let held = "update contacts set preferred_agent = 'hansel' where state = 'queued'";
    assert_eq!(broken(&stack, &format!("{free} {held}")).await, []);
    for full in
        ["update agents set sms_limit = 3, sms_most = 3 where id = 'gretel'", "update tenants set sms_slots = 2"]
    {
        assert_eq!(broken(&stack, &format!("{free} {full}; delete from ready_agents")).await, [], "{full}");
    }
    let lowered = "update agents set session_limit = 1, slot_limit = 1, limit_set_at = clock_timestamp()
                   where id = 'gretel'";
    assert_eq!(broken(&stack, lowered).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_hub_exits_with_one_and_says_what_and_where() {
    let stack = worked().await;
    let client = stack.database.pool.get().await.unwrap();
    client.execute("update agents set slots_used = 1 where id = 'gretel'", &[]).await.unwrap();
    let said = stack.command(&["audit"]);
    assert!(said.out.contains("BROKEN  slots_are_counted"), "{}", said.out);
    assert!(said.out.contains("agent gretel of three-bears: 1 slots are noted, 3 are in use"), "{}", said.out);
    assert!(said.failure(1).contains("invariants are broken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_id_has_its_fate() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    let text = serde_json::json!({"carrier": "sim", "carrier_sms_id": "c1", "from": "+15557000001", "to": ORDERS,
        "text": "hello", "received_at": "2026-01-01T00:00:00Z"});
    let recorded = desk.say("sms.received", "15550100001-15557000001", text.clone()).await;
    desk.heard("entry.appended", |fact| fact["text"] == "hello").await;
    let repeat = desk.say("sms.received", "15550100001-15557000001", text).await;
    let dead = desk.text("+15557000001", "+15559999999", "to nobody").await;
    let room = texthub::runtime::clock::new_id().to_string();
    let refused = desk.reply("gretel", &room, "hello?").await;
    desk.refused(&refused).await;
    stack.dead(1).await;
    until("the repeat is noted", async || {
        one::<i64>(&stack, "select count(*) from heard where outcome = 'repeat'").await == 1
    })
    .await;
    let ids = [&recorded, &repeat, &dead, &refused].map(String::as_str);
    let fates = "recorded repeat dead refused".split(' ');
    let want: Vec<String> = ids.iter().zip(fates).map(|(id, fate)| format!("{id} {fate}")).collect();
    let file = stack.file("ids", &ids.join("\n"));
    let out = stack.command(&["audit", "--ids", &file]).success();
    let told: Vec<&str> = out.lines().filter(|line| !line.starts_with("ok")).collect();
    assert_eq!(told, want);

    let file = stack.file("more", &format!("{}\n{room}\n", recorded.to_uppercase()));
    let said = stack.command(&["audit", "--ids", &file, "--json"]);
    let json = parsed(&said.out);
    assert_eq!(json["ids"][&room], "unknown");
    assert_eq!(json["ids"][recorded.to_uppercase()], "recorded");
    assert_eq!(json["clean"], false);
    assert!(said.failure(1).contains("1 ids are unknown"));
}
