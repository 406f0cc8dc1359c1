//! A shift by the API alone: rings, accepted, answered, handed on, wrapped up; supervisors; what is refused.

use serde_json::json;
use uuid::Uuid;

use crate::hub::{bears, clean, number};
use crate::support::browser::{Browser, Model};
use crate::support::stack::{Process, Stack};

const OURS: &str = "+15550100001";

/// The bears, with after-contact work.
async fn with_wrap_up() -> (Stack, Process) {
    let (stack, texthub) = bears().await;
    let client = stack.database.pool.get().await.unwrap();
    client.execute("update skills set wrap_up_s = 60", &[]).await.unwrap();
    (stack, texthub)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_rings_is_accepted_answered_and_wrapped_up_in_two_tabs_at_once() {
    let (stack, texthub) = with_wrap_up().await;
    let outside = stack.desk("three-bears").await;
    let baby = Browser::new(&stack, &texthub, "three-bears", Some("baby-bear"), &["work"]).await;
    let mut tab = baby.socket("", Model::default()).await;
    tab.until("it begins", |m| m.snapshots == 1).await;
    assert_eq!((&tab.model.agent["state"], &tab.model.agent["why"]), (&json!("logged_out"), &json!("logged_out")));
    Browser::done(&baby.command("/agent/state", json!({"state": "available"})).await);
    tab.until("available", |m| m.agent["state"] == "available" && m.agent["why"] == "nobody_waits").await;
    outside.text("+15550199001", OURS, "my porridge is cold").await;
    tab.until("it rings", |m| m.offers.len() == 1).await;
    let offer = tab.model.the_offer();
    assert_eq!(tab.model.offers[&offer]["last_text"], "my porridge is cold");
    let mut second = baby.socket("", Model::default()).await;
    second.until("the second tab begins", |m| m.snapshots == 1).await;
    assert_eq!(second.model.the_offer(), offer);
    let (id, accept) = (Uuid::new_v4(), format!("/offers/{offer}/answer"));
    let body = json!({"id": id, "answer": "accept"});
    for _ in 0..2 {
        Browser::done(&baby.command(&accept, body.clone()).await);
    }
    let late = baby.command(&accept, json!({"answer": "accept"})).await;
    assert_eq!((late.0, &late.1["reason"]), (409, &json!("offer_gone")));
    for tab in [&mut tab, &mut second] {
        tab.until("it is theirs", |m| m.offers.is_empty() && m.contacts.len() == 1).await;
    }
    let contact = tab.model.the_contact().clone();
    let (room, contact_id) = (contact["room_id"].as_str().unwrap(), contact["contact_id"].as_str().unwrap());
    assert_eq!((&contact["state"], &contact["composer"]["can_write"]), (&json!("active"), &json!(true)));
    Browser::done(&baby.command(&format!("/rooms/{room}/notes"), json!({"text": "patience"})).await);
    Browser::done(&baby.command(&format!("/rooms/{room}/replies"), json!({"text": "too hot, then?"})).await);
    outside.text("+15550199001", OURS, "just right").await;
    for tab in [&mut tab, &mut second] {
        tab.until("all is there", |m| m.texts(contact_id).len() == 4).await;
        assert_eq!(tab.model.texts(contact_id), ["my porridge is cold", "patience", "too hot, then?", "just right"]);
        tab.until("it was delivered", |m| m.the_contact()["entries"][2]["state"] == "delivered").await;
    }
    Browser::done(&baby.command(&format!("/contacts/{contact_id}/park"), json!({"note": "later"})).await);
    tab.until("parked", |m| m.the_contact()["state"] == "parked" && m.agent["slots_used"] == 0).await;
    Browser::done(&baby.command(&format!("/contacts/{contact_id}/unpark"), json!({})).await);
    tab.until("taken back", |m| m.the_contact()["state"] == "active").await;
    Browser::done(&baby.command(&format!("/contacts/{contact_id}/end"), json!({"reason": "done"})).await);
    tab.until("wrap-up", |m| m.the_contact()["state"] == "wrap_up" && m.agent["slots_used"] == 1).await;
    Browser::done(&baby.command(&format!("/contacts/{contact_id}/wrap-up"), json!({})).await);
    for tab in [&mut tab, &mut second] {
        tab.until("it is gone and the slot free", |m| m.contacts.is_empty() && m.agent["slots_used"] == 0).await;
        assert!(tab.model.faults.is_empty(), "{:?}", tab.model.faults);
    }
    let (status, rooms) = baby.get("/customers/+15550199001/rooms").await;
    assert_eq!((status, &rooms[0]["entries_count"], &rooms[0]["agents"]), (200, &json!(5), &json!(["baby-bear"])));
    let (status, read) = baby.get(&format!("/rooms/{room}")).await;
    assert_eq!((status, read["entries"].as_array().unwrap().len(), &read["more"]), (200, 5, &json!(false)));
    let page = baby.get(&format!("/rooms/{room}/entries?before=3&limit=1")).await;
    assert_eq!(page.1[0]["text"], "patience");
    let noted = "select count(*) from audit_log where what = 'transcript_read'";
    assert!(number(&stack, noted).await >= 2, "who read is noted");
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_hands_on_and_a_supervisor_sees_all_and_ends_exactly_one() {
    let (stack, texthub) = with_wrap_up().await;
    let outside = stack.desk("three-bears").await;
    let of =
        async |agent: Option<&str>, scopes: &[&str]| Browser::new(&stack, &texthub, "three-bears", agent, scopes).await;
    let (baby, hood) = (of(Some("baby-bear"), &["work"]).await, of(Some("red-riding-hood"), &["work"]).await);
    let boss = of(None, &["live", "interfere", "transcripts"]).await;
    let mut watch = boss.socket("?watch=tenant", Model::default()).await;
    watch.until("it begins", |m| m.snapshots == 1).await;
    let mut of_baby = baby.socket("", Model::default()).await;
    let mut of_hood = hood.socket("", Model::default()).await;
    of_hood.until("it begins", |m| m.snapshots == 1).await;
    Browser::done(&baby.command("/agent/state", json!({"state": "available"})).await);
    for nr in 1..=2 {
        outside.text(&format!("+1555019900{nr}"), OURS, "hello").await;
    }
    of_baby.until("both ring", |m| m.offers.len() == 2).await;
    for offer in of_baby.model.offers.clone().keys() {
        Browser::done(&baby.command(&format!("/offers/{offer}/answer"), json!({"answer": "accept"})).await);
    }
    of_baby.until("both are hers", |m| m.contacts.len() == 2 && m.offers.is_empty()).await;
    let active = |m: &Model| m.contacts.len() == 2 && m.contacts.values().all(|c| c["state"] == "active");
    watch.until("the supervisor sees both", active).await;
    assert!(watch.model.contacts.values().all(|c| c["summary"] == true && c["entries"] == json!([])));
    let (first, room) = {
        let contact = of_baby.model.contacts.values().next().unwrap();
        (contact["contact_id"].as_str().unwrap().to_owned(), contact["room_id"].as_str().unwrap().to_owned())
    };
    // what is another's is neither read nor touched
    assert_eq!(hood.get(&format!("/rooms/{room}")).await.0, 404);
    assert_eq!(hood.get("/contacts").await.0, 403);
    let no = hood.command(&format!("/contacts/{first}/end"), json!({})).await;
    assert_eq!((no.0, &no.1["reason"]), (409, &json!("not_a_member")));
    assert_eq!(hood.command(&format!("/contacts/{first}/takeover"), json!({})).await.0, 403);
    Browser::done(&hood.command("/agent/state", json!({"state": "available"})).await);
    let handed = json!({"agent": "red-riding-hood", "note": "yours"});
    Browser::done(&baby.command(&format!("/contacts/{first}/transfer"), handed).await);
    of_hood.until("it rings", |m| m.offers.len() == 1).await;
    assert_eq!(of_hood.model.offers.values().next().unwrap()["from_agent"], "baby-bear");
    assert_eq!(hood.get(&format!("/rooms/{room}")).await.0, 200, "whoever is offered it may look");
    let accept = format!("/offers/{}/answer", of_hood.model.the_offer());
    Browser::done(&hood.command(&accept, json!({"answer": "accept"})).await);
    of_hood.until("it is hers with all of it", |m| m.texts(&first) == ["hello", "yours"]).await;
    of_baby.until("it is hers no more", |m| m.contacts.len() == 1).await;
    let (status, live) = boss.get("/contacts?state=active&agent=red-riding-hood").await;
    assert_eq!((status, live.as_array().unwrap().len()), (200, 1));
    Browser::done(&boss.command(&format!("/contacts/{first}/end"), json!({"reason": "rude"})).await);
    of_hood.until("it is over", |m| m.the_contact()["state"] == "wrap_up").await;
    Browser::done(&hood.command(&format!("/contacts/{first}/wrap-up"), json!({})).await);
    watch.until("exactly one is gone", |m| m.contacts.len() == 1).await;
    assert_eq!(of_baby.model.the_contact()["state"], "active");
    let (_, agents) = boss.get("/agents").await;
    assert!(agents.as_array().unwrap().iter().any(|agent| agent["id"] == "baby-bear" && agent["slots_used"] == 1));
    for socket in [&of_baby, &of_hood, &watch] {
        assert!(socket.model.faults.is_empty(), "{:?}", socket.model.faults);
    }
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_refused_for_good_and_an_id_is_not_used_twice() {
    let (stack, texthub) = bears().await;
    let baby = Browser::new(&stack, &texthub, "three-bears", Some("baby-bear"), &["work"]).await;
    let id = Uuid::new_v4();
    let bad = json!({"id": id, "to": "+1555", "text": "hi", "our_number": OURS});
    for _ in 0..2 {
        let no = baby.command("/outreach", bad.clone()).await;
        assert_eq!((no.0, &no.1["reason"]), (409, &json!("logged_out")), "{no:?}");
    }
    assert_eq!(baby.command("/agent/state", json!({"state": "asleep"})).await.0, 422);
    assert_eq!(baby.command("/agent/state", json!({"id": "x", "state": "available"})).await.0, 422);
    assert_eq!(baby.command(&format!("/rooms/{id}/replies"), json!({"text": "hi"})).await.0, 404);
    let stranger = Browser::new(&stack, &texthub, "three-bears", None, &["live"]).await;
    assert_eq!(stranger.command("/agent/state", json!({"state": "available"})).await.0, 403);
    assert_eq!(stranger.get("/desk").await.1["agent"], json!(null), "a supervisor's desk has no agent");
    let nobody = Browser::new(&stack, &texthub, "three-bears", None, &["customers"]).await;
    assert_eq!(nobody.get("/desk").await.0, 403);
    assert_eq!(baby.get("/desk").await.1["agent"]["id"], "baby-bear");
    clean(&stack).await;
}
