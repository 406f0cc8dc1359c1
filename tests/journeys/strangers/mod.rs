//! Carriers' programs that nobody here wrote, together: Kannel's fake SMSC and Kannel on the way in, npm's `smpp` as SMSC
//! on the way out, and Jasmin as SMSC. They need Debian packages that nothing else does: `./dev test --long strangers`.

mod jasmin;
mod kannel;
mod kills;
mod throughput;

use crate::hub::clean;
use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack, free_port, until};
use kannel::{Kannel, PASSWORD, TOKEN};

const EXAMPLE: &str = include_str!("../../../examples/three-bears.toml");
const AGENT: &str = "baby-bear";

/// Its connection's `[[carriers]]`.
fn connection(stack: &Stack, sendsms: u16) -> String {
    let (password, token) = (stack.file("kannels-password", PASSWORD), stack.file("token", TOKEN));
    format!(
        "\n[[carriers]]\nid = \"line\"\nkind = \"kannel\"\nurl = \"http://127.0.0.1:{sendsms}\"\nuser = \"hub\"\n\
         password_file = \"{password}\"\ntoken_file = \"{token}\"\n"
    )
}

/// A gateway that Kannel calls, and all else beside it.
async fn hub(stack: &mut Stack) -> [Process; 2] {
    let gateway = stack.spawn(&["gateway"]);
    stack.public_url = gateway.url();
    let rest = stack.start(&["all"]).await;
    until("the gateway is ready", async || stack.is_ready(&gateway).await).await;
    [gateway, rest]
}

/// The texts of customers in rooms, sorted; none while the database is away.
async fn written(stack: &Stack) -> Option<Vec<String>> {
    let client = stack.database.pool.get().await.ok()?;
    let sql = "select text from entries where direction = 'inbound'";
    let rows = client.query(sql, &[]).await.ok()?;
    let mut texts: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    texts.sort();
    Some(texts)
}

/// How many texts of a room's transcript are delivered.
fn delivered(stack: &Stack, room: &str) -> usize {
    stack.command(&["transcripts", "--room", room, "--json"]).success().matches("\"delivered\"").count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ./dev test --long strangers"]
async fn kannel_brings_texts_of_every_alphabet_and_takes_answers() {
    let mut stack = Stack::new().await;
    let sendsms = free_port();
    let file = EXAMPLE.replace("carrier = \"sim\"", "carrier = \"line\"") + &connection(&stack, sendsms);
    stack.command(&["apply", &stack.file("bears.toml", &file)]).success();
    let [gateway, _rest] = hub(&mut stack).await;
    let desk: Desk = stack.desk("three-bears").await;
    desk.log_in(AGENT).await;
    let kannel = Kannel::start(&stack, &gateway.url(), "line", sendsms).await;

    // whoever has no token is not heard
    let forged = format!("{}/webhooks/line?id=1&from=%2B15550100100&to=%2B15550100001&text=forged", gateway.url());
    for token in [None, Some("another"), Some("")] {
        let request = stack.http.get(&forged);
        let request = if token.is_some() { request.basic_auth("line", token) } else { request };
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    let texts = [
        ("text Is_it_too_hot?_{€}_100%_&_ä", "Is_it_too_hot?_{€}_100%_&_ä"),
        ("ucs2 %04%4f%D8%3D%DE%00%00%41", "я😀A"),
        ("udh-text %05%00%03%2a%02%02 half", ""),
        ("udh-text %05%00%03%2a%02%01 the_first_", "the_first_half"),
    ];
    let mut wanted: Vec<&str> = Vec::new();
    for (nth, (sent, whole)) in texts.into_iter().enumerate() {
        let phones = kannel.phones(1, "0.1", false, &[&format!("+15550100100 +15550100001 {sent}")]);
        wanted.extend(Some(whole).filter(|whole| !whole.is_empty()));
        wanted.sort_unstable();
        until("it was sent", async || phones.has_sent(nth + 1)).await;
        until("it is in a room", async || written(&stack).await.is_some_and(|texts| texts == wanted)).await;
        drop(phones);
    }

    let room = desk.accept(&desk.offer(AGENT).await).await;
    let phones = kannel.phones(0, "1", false, &["1 2 text none"]);
    let long = format!("Just right: {}", "porridge & cream, ".repeat(12));
    desk.reply(AGENT, &room, "It is 5 € {for you}").await;
    desk.reply(AGENT, &room, "Да 😀").await;
    desk.reply(AGENT, &room, long.trim_end()).await;
    until("every receipt is in the transcript", async || delivered(&stack, &room) >= 3).await;
    let got = phones.got();
    assert_eq!(got[0], "+15550100001 +15550100100 text It is 5 € {for you}");
    assert_eq!(got[1], "+15550100001 +15550100100 ucs-2 %04%14%040%00+%D8%3D%DE%00");
    assert_eq!((got.len(), got[2..].iter().all(|part| part.contains(" udh %05%00%03"))), (4, true), "{got:?}");
    clean(&stack).await;
    assert!(!stack.logs().contains(TOKEN) && !stack.logs().contains(PASSWORD), "never logged");
}
