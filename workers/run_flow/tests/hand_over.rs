//! Where a flow ends: an agent has the contact, somebody moved it, or its state is lost; and what meets an offer.

use super::*;

/// Waiting, then accepted by papa at 31, who hands it to another skill at 40.
async fn handed_on(pool: &Pool) {
    waiting(pool).await;
    crate::rehearsal::moved(pool, at(30), "papa", "available").await;
    let asks = [crate::rehearsal::waits(70, 1, "sms", at(30))];
    handle(&crate::route_contact::RouteContact, pool, at(30), &asks).await;
    let offer = column(pool, "select id from offers where state = 'pending'").await.remove(0);
    let accepted = json!({"tenant": "bears", "offer_id": offer, "agent": "papa", "answer": "accept"});
    handle(&Each(crate::settle_offer::SettleOffer), pool, at(31), &[told(71, "offer.answered", accepted)]).await;
    assert_eq!(column(pool, "select state from contacts").await, ["active"]);
    assert_eq!(column(pool, "select phase from flow_runs").await, ["over"], "whoever has it decides");
    let transfer = json!({"tenant": "bears", "by": {"kind": "agent", "name": "papa"}, "contact_id": contact(1), "skill": "urgent"});
    handle(&Each(crate::move_contact::MoveContact), pool, at(40), &[told(72, "transfer.asked", transfer)]).await;
}

#[tokio::test]
async fn a_flow_takes_nothing_back_that_an_agent_had_and_moved() {
    let ran = run(50, handed_on, &[due(50, 1, 2, 50)]).await;
    assert_eq!(ran.outcomes, [Outcome::silent()]);
    assert_eq!(column(&ran.database.pool, "select state || ' ' || skill from contacts").await, ["queued urgent"]);
}

#[tokio::test]
async fn a_flow_takes_nothing_back_that_a_supervisor_moved_before_anybody_had_it() {
    let set_up = async |pool: &Pool| {
        waiting(pool).await;
        let transfer = json!({"tenant": "bears", "by": {"kind": "supervisor", "name": "ranger"}, "contact_id": contact(1),
                              "skill": "urgent"});
        let outcome =
            handle(&Each(crate::move_contact::MoveContact), pool, at(40), &[told(72, "transfer.asked", transfer)])
                .await;
        assert!(names(&outcome[0]).iter().any(|name| name == "contact.queued"), "{outcome:?}");
    };
    let ran = run(50, set_up, &[due(50, 1, 2, 50)]).await;
    assert_eq!(ran.outcomes, [Outcome::silent()]);
    assert_eq!(column(&ran.database.pool, "select state || ' ' || skill from contacts").await, ["queued urgent"]);
    assert_eq!(column(&ran.database.pool, "select phase from flow_runs").await, ["over"]);
}

/// Waits, then asks a program, which has answered by 51; meanwhile papa was offered the contact.
async fn answered_while_offered(pool: &Pool) -> Vec<Message<Happened>> {
    let mut document = menu();
    document["variables"]["crm"] = Value::Null;
    document["nodes"]["sorry"] = json!({"type": "webhook", "url": "https://crm.example/", "store": "crm", "next": "thanks",
                                        "failed": "bye"});
    document["nodes"]["thanks"] = json!({"type": "send", "text": "Welcome, {{ vars.crm }}", "next": "agent"});
    den_with(pool, &[]).await;
    publish(pool, "bears", "main", &document).await;
    goes_on(pool, 10, 1, 1, "hello").await;
    goes_on(pool, 20, 2, 1, "1").await;
    handle(&Each(RunFlow::default()), pool, at(50), &[due(50, 1, 2, 50)]).await;
    let client = pool.get().await.unwrap();
    let answer =
        "update flow_calls set state = 'answered', answer = '\"Goldilocks\"', settled_at = asked_at returning id";
    let call: uuid::Uuid = client.query_one(answer, &[]).await.unwrap().get(0);
    crate::rehearsal::moved(pool, at(50), "papa", "available").await;
    handle(&crate::route_contact::RouteContact, pool, at(50), &[crate::rehearsal::waits(70, 1, "sms", at(50))]).await;
    let body = json!({"cause_id": crate::rehearsal::fact(50), "at": at(51), "tenant": "bears", "contact_id": contact(1),
                      "call_id": call});
    vec![told(80, "webhook.answered", body)]
}

#[tokio::test]
async fn a_programs_answer_that_finds_an_offer_is_read_when_the_offer_is_over() {
    let set_up = async |pool: &Pool| {
        let answered = answered_while_offered(pool).await;
        let outcome = handle(&Each(RunFlow::default()), pool, at(51), &answered).await;
        assert_eq!(names(&outcome[0]), ["flow.due"]);
        assert_eq!(said(&outcome[0])[0].due, Some(at(56)));
        crate::rehearsal::moved(pool, at(52), "papa", "unavailable").await;
        assert_eq!(column(pool, "select state from contacts").await, ["queued"]);
    };
    let ran = run(56, set_up, &[due(51, 1, 4, 56)]).await;
    assert_eq!(the(&ran.outcomes[0], "entry.appended")["text"], "Welcome, Goldilocks");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_leads_to_an_agent() {
    let set_up = async |pool: &Pool| {
        with_menu(pool).await;
        goes_on(pool, 10, 1, 1, "hello").await;
        let client = pool.get().await.unwrap();
        client.batch_execute("update flow_runs set state = '{\"variables\": 7}'").await.unwrap();
    };
    let ran = run(70, set_up, &[due(50, 1, 1, 70)]).await;
    assert_eq!(names(&ran.outcomes[0]), ["contact.queued"]);
}
