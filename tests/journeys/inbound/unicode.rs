//! Every character that Unicode has goes in as it is and comes out as it was, but for NUL, which Postgres cannot hold.

use std::collections::HashSet;

use crate::support::stack::until;

/// Characters of a text: at four bytes each within the 64 KiB of a body.
const LONG: usize = 12_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_character_is_stored_as_it_came() {
    let (stack, _process) = crate::hub::bears().await;
    let desk = stack.desk("three-bears").await;
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let mut expected: HashSet<String> = HashSet::new();
    for (nth, some) in all.chunks(LONG).enumerate() {
        let text: String = some.iter().collect();
        desk.text(&format!("+1555021{nth:04}"), "+15550100001", &text).await;
        expected.insert(text.replace('\0', "\u{FFFD}"));
    }
    let client = stack.database.pool.get().await.unwrap();
    until("all of Unicode is recorded", async || {
        let row = client.query_one("select count(*) from entries", &[]).await.unwrap();
        row.get::<_, i64>(0) >= i64::try_from(expected.len()).unwrap()
    })
    .await;
    let rows = client.query("select text from entries", &[]).await.unwrap();
    let stored: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored.len(), expected.len());
    assert!(stored == expected, "a text was changed on its way");
    crate::hub::clean(&stack).await;
    desk.close().await;
}
