//! Ends that an operator asks for: exactly what was named, and nothing is lost.

use super::{BEARS, COMPLAINTS, NORTH, ORDERS, accepted, bears, one, parsed};
use crate::support::stack::{Stack, until};

const LIVING: &str = "select coalesce(string_agg(right(r.customer_number, 1), '' order by r.customer_number), '')
    from contacts c join rooms r on r.id = c.room_id where c.state in ('queued', 'offered', 'active')";

/// Gretel has 1 and 2 (orders) and is offered 3 (complaints); 4 (orders) and 5 (complaints) wait.
async fn five() -> (Stack, crate::support::stack::Process) {
    let (stack, texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    desk.log_in("gretel").await;
    accepted(&desk, "gretel", "+15557000001", ORDERS, "one").await;
    accepted(&desk, "gretel", "+15557000002", NORTH, "two").await;
    desk.text("+15557000003", COMPLAINTS, "three").await;
    desk.offer("gretel").await;
    for (from, to, text) in [("+15557000004", ORDERS, "four"), ("+15557000005", COMPLAINTS, "five")] {
        desk.text(from, to, text).await;
        desk.appended(text).await;
    }
    desk.moved("gretel", "unavailable").await;
    desk.heard("offer.settled", |fact| fact["outcome"] == "rescinded").await;
    (stack, texthub)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_an_agent_then_a_skill_then_the_tenant() {
    let (stack, _texthub) = five().await;
    let end = |whose: &str| stack.command(&["end", "--all-of", whose, "--reason", "storm", "--yes"]);
    let out = end("agent:gretel").success();
    assert_eq!(out.matches("ended contact").count(), 2, "{out}");
    assert_eq!(one::<String>(&stack, LIVING).await, "345");
    end("too-hot-too-cold").success();
    assert_eq!(one::<String>(&stack, LIVING).await, "4", "who waits for the skill, whoever was offered it");
    let no = stack.command_with(&["end", "--all-of", "tenant", "--reason", "storm"], "").failure(1);
    assert!(no.contains("nothing was ended"), "{no}");
    end("tenant").success();
    assert_eq!(one::<String>(&stack, LIVING).await, "");
    assert!(end("tenant").success().contains("has no live contact"));

    let shown = parsed(&stack.command(&["transcripts", "--json"]).success());
    let mut told: Vec<&str> =
        shown.as_array().unwrap().iter().map(|room| room["entries"][0]["text"].as_str().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, ["five", "four", "one", "three", "two"], "every transcript is whole");
    assert!(shown.as_array().unwrap().iter().all(|room| room["outcome"] == "forced" && room["reason"] == "storm"));
    until("the slots are free", async || {
        one::<i32>(&stack, "select slots_used from agents where id = 'gretel'").await == 0
    })
    .await;
    stack.command(&["audit"]).success();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offered_contact_is_nobodys_yet() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk(BEARS).await;
    desk.log_in("gretel").await;
    desk.text("+15557000001", ORDERS, "one").await;
    let offer = desk.offer("gretel").await;
    let none = stack.command(&["end", "--all-of", "gretel", "--reason", "storm", "--yes"]).success();
    assert!(none.contains("has no live contact"), "{none}");
    desk.accept(&offer).await;
    let contact = offer["contact_id"].as_str().unwrap();
    let other = stack.command(&["end", "--contact", contact, "--reason", "x", "--tenant", "wolves"]).failure(1);
    assert!(other.contains("there is no contact"), "a tenant's own contacts only: {other}");
    stack.command(&["end", "--contact", contact, "--reason", "x", "--tenant", BEARS]).success();
    stack.command(&["end", "--reason", "x"]).failure(2);
    stack.command(&["end", "--contact", contact, "--all-of", "tenant", "--reason", "x"]).failure(2);
    let nobody = stack.command(&["end", "--all-of", "agent:nobody", "--reason", "x"]).failure(1);
    assert!(nobody.contains("there is no agent, skill or tenant agent:nobody"), "{nobody}");
}
