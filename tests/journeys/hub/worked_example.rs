//! Team limit five, three agents: one for chat and SMS who has two of each, one for chat alone who has three chats, one
//! for SMS alone who has four. Whatever waits, they get one more of either, two more chats, and one more SMS.

use super::{bears, clean, number};
use crate::support::desk::Desk;
use crate::support::stack::until;

/// Lets `agent` alone take contacts, and then no more for now.
async fn give(desk: &Desk, agent: &str, chats: u32, texts: u32) {
    desk.log_in(agent).await;
    for n in 0..chats {
        desk.chat("website", &format!("{agent}{n}"), "hi").await;
        let offer = desk.offer(agent).await;
        desk.accept(&offer).await;
    }
    for n in 0..texts {
        desk.text(&format!("+1555{:03}{n:04}", u32::from(agent.as_bytes()[0])), "+15550100001", "hi").await;
        let offer = desk.offer(agent).await;
        desk.accept(&offer).await;
    }
    desk.moved(agent, "unavailable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_shared_by_both_channels_and_skills_are_never_crossed() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    give(&desk, "mama-bear", 2, 2).await;
    give(&desk, "papa-bear", 3, 0).await;
    give(&desk, "baby-bear", 0, 4).await;
    for n in 0..10 {
        desk.text(&format!("+1555900{n:04}"), "+15550100001", "me too").await;
        desk.chat("website", &format!("late{n}"), "me too").await;
    }
    until("all twenty wait", async || {
        number(&stack, "select count(*) from contacts where state = 'queued'").await == 20
    })
    .await;
    for agent in ["mama-bear", "papa-bear", "baby-bear"] {
        desk.log_in(agent).await;
    }
    let offers = [
        desk.offer("mama-bear").await,
        desk.offer("papa-bear").await,
        desk.offer("papa-bear").await,
        desk.offer("baby-bear").await,
    ];
    for offer in &offers {
        desk.accept(offer).await;
    }
    // whoever comes now is offered what still waits, so the router has looked again and found none of the three free
    desk.log_in("red-riding-hood").await;
    for _ in 0..3 {
        desk.offer("red-riding-hood").await;
    }
    let held = |channel: &str, agent: &str| {
        format!("select count(*) from contacts where state = 'active' and channel = '{channel}' and agent = '{agent}'")
    };
    let (chats, texts) =
        (number(&stack, &held("chat", "mama-bear")).await, number(&stack, &held("sms", "mama-bear")).await);
    assert!((chats, texts) == (3, 2) || (chats, texts) == (2, 3), "one more of either: {chats} chats, {texts} SMS");
    assert_eq!(number(&stack, &held("chat", "papa-bear")).await, 5, "two more chats");
    assert_eq!(number(&stack, &held("sms", "papa-bear")).await, 0, "never an SMS");
    assert_eq!(number(&stack, &held("sms", "baby-bear")).await, 5, "one more SMS");
    assert_eq!(number(&stack, &held("chat", "baby-bear")).await, 0, "never a chat");
    let pending = "select count(*) from offers where state = 'pending' and agent <> 'red-riding-hood'";
    assert_eq!(number(&stack, pending).await, 0, "and then none");
    assert_eq!(number(&stack, "select count(*) from contacts where state = 'queued'").await, 16 - 3);
    assert_eq!(desk.all("offer.made").len(), 11 + 4 + 3);
    clean(&stack).await;
}
