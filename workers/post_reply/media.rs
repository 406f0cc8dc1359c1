//! Media that agents send along, every way through the harness: by a carrier that sends them, and refused by one that
//! does not.

use deadpool_postgres::Pool;
use serde_json::{Value, json};

use super::*;
use crate::rehearsal::{active, column, customer, den_with, room};
use crate::support::den::{MAIN, RUSH};
use crate::support::fixtures::at;
use crate::support::trial::{names, refusal, the, told, trial};

/// Text 1 is active with papa by a carrier of Twilio's shape; 2 with baby, by the simulator.
async fn set_up(pool: &Pool) {
    den_with(pool, &["papa", "baby", "mama"]).await;
    let client = pool.get().await.unwrap();
    client
        .batch_execute(
            "insert into carriers (id, tenant, kind) values ('wires', 'bears', 'twilio');
             update points_of_contact set carrier = 'wires' where id = 'main'",
        )
        .await
        .unwrap();
    active(pool, at(10), 1, MAIN).await;
    active(pool, at(10), 2, RUSH).await;
}

fn picture(url: &str) -> Value {
    json!({"url": url, "type": "image/png"})
}

fn reply(nr: u128, agent: &str, of: u128, text: &str, media: &[Value]) -> Message<Written> {
    let body = json!({"tenant": "bears", "agent": agent, "room_id": room(of), "text": text, "media": media,
                      "written_at": at(19)});
    told(nr, "reply.written", body)
}

fn outreach(nr: u128, ours: &str, media: &[Value]) -> Message<Written> {
    let body = json!({"tenant": "bears", "agent": "mama", "to": customer(9), "our_number": ours, "text": "look",
                      "media": media, "written_at": at(19)});
    told(nr, "outreach.written", body)
}

#[tokio::test]
async fn media_go_by_a_carrier_that_sends_them_and_are_refused_by_another() {
    let fine = picture("https://bears.example/bowl.png?key=1");
    let batch = [
        reply(100, "papa", 1, "look", std::slice::from_ref(&fine)),
        reply(101, "papa", 1, "", std::slice::from_ref(&fine)),
        reply(102, "papa", 1, "nothing along", &[]),
        reply(103, "baby", 2, "look", std::slice::from_ref(&fine)),
        reply(104, "papa", 1, "look", &[picture("file:///etc/passwd")]),
        reply(105, "papa", 1, "look", &vec![fine.clone(); 11]),
        reply(106, "papa", 1, "", &[]),
        outreach(107, RUSH, std::slice::from_ref(&fine)),
        outreach(108, MAIN, &[picture("https://mama:bear@bears.example/")]),
        outreach(109, MAIN, std::slice::from_ref(&fine)),
    ];
    let apart = [("heard", "said", "agent.freed tells of the agent's slots as of the end of the batch")];
    let ran = trial(&PostReply, at(20), &apart, set_up, &batch).await;
    let told = |nth: usize| the(&ran.outcomes[nth], "sms.requested")["media"].clone();
    assert_eq!((told(0), told(1), told(9)), (json!([fine]), json!([fine]), json!([fine])));
    assert_eq!(names(&ran.outcomes[2]), ["entry.appended", "sms.requested"]);
    let words: Vec<String> = (3..9).map(|nth| refusal(&ran.outcomes[nth])).collect();
    assert_eq!(words, ["no_media", "bad_media", "bad_media", "text_length", "no_media", "bad_media"]);
    let kept =
        column(&ran.database.pool, "select media->0->>'url' from entries where author = 'agent' and media <> '[]'");
    assert_eq!(kept.await, ["https://bears.example/bowl.png?key=1"; 3]);
    assert_eq!(
        column(&ran.database.pool, "select count(*) from media").await,
        ["0"],
        "nobody fetches what agents send"
    );
}
