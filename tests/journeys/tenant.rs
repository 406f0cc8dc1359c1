//! A tenant as a file: applied twice, looked at first, pruned while people talk, refused with every mistake at once.

use serde_json::Value;

use crate::support::stack::Stack;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml");

async fn rows(stack: &Stack, sql: &str) -> Vec<String> {
    let client = stack.database.pool.get().await.unwrap();
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn changes(out: &str) -> usize {
    serde_json::from_str::<Value>(out).unwrap()["changes"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_again_there_is_nothing_to_change() {
    let stack = Stack::new().await;
    let dry = stack.command(&["apply", EXAMPLE, "--dry-run", "--json"]).success();
    assert_eq!(rows(&stack, "select id from tenants").await, [""; 0], "a dry run writes nothing");
    let first = stack.command(&["apply", EXAMPLE, "--json"]).success();
    assert_eq!(changes(&dry), changes(&first));
    assert_eq!(changes(&stack.command(&["apply", EXAMPLE, "--json"]).success()), 0);
    let limits =
        "select id || ' ' || slot_limit from agents where id in ('goldilocks', 'mama-bear', 'hansel') order by id";
    assert_eq!(
        rows(&stack, limits).await,
        ["goldilocks 2", "hansel 3", "mama-bear 5"],
        "the user's limit before the team's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_that_overflows_is_changed_once_and_changed_back() {
    let stack = Stack::new().await;
    stack.command(&["apply", EXAMPLE]).success();
    let (skill, text) = ("id = \"porridge-orders\"\n", std::fs::read_to_string(EXAMPLE).unwrap());
    assert!(text.contains(skill));
    let more = format!("{skill}max_wait_text = \"Busy\"\noverflow_skill = \"too-hot-too-cold\"\n");
    let file = &stack.file("overflow.toml", &text.replacen(skill, &more, 1));
    assert_eq!(changes(&stack.command(&["apply", file, "--json"]).success()), 1);
    assert_eq!(changes(&stack.command(&["apply", file, "--json"]).success()), 0);
    let kept = "select max_wait_text || ' ' || overflow_skill from skills where overflow_skill is not null";
    assert_eq!(rows(&stack, kept).await, ["Busy too-hot-too-cold"]);
    assert_eq!(changes(&stack.command(&["apply", EXAMPLE, "--json"]).success()), 1);
    assert_eq!(rows(&stack, kept).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pruned_ends_and_its_rooms_go_on() {
    let stack = Stack::new().await;
    stack.command(&["apply", EXAMPLE]).success();
    let _texthub = stack.start(&["all"]).await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("baby-bear").await;
    desk.text("+15557000001", "+18005550199", "Too hot!").await;
    let offer = desk.offer("baby-bear").await;
    let room = desk.accept(&offer).await;

    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let start = text.find("[[agents]]\nid = \"baby-bear\"").unwrap();
    let end = start + text[start..].find("\n\n").unwrap();
    let without = stack.file("without.toml", &format!("{}{}", &text[..start], &text[end..]));
    assert_eq!(changes(&stack.command(&["apply", &without, "--json"]).success()), 0, "what is not in the file stays");
    assert_eq!(changes(&stack.command(&["apply", &without, "--prune", "--json"]).success()), 1);

    desk.reply("baby-bear", &room, "Blow on it.").await;
    desk.heard("entry.appended", |fact| fact["room_id"] == room.as_str() && fact["author"] == "agent").await;
    assert_eq!(rows(&stack, "select id from agents where ended_at is not null").await, ["baby-bear"]);
    assert_eq!(rows(&stack, "select agent from ready_agents where agent = 'baby-bear'").await, [""; 0]);
    assert_eq!(rows(&stack, "select id::text from rooms where closed_at is null").await, [room]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mistakes_are_told_at_once_and_nothing_is_written() {
    let stack = Stack::new().await;
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let wrong = text
        .replace("session_limit = 2 ", "session_limit = 13 ")
        .replace("country = \"CA\"", "country = \"DE\"")
        .replacen("skill = \"porridge-chat\"", "skill = \"porridge-chad\"", 1);
    let file = stack.file("wrong.toml", &wrong);
    let said = stack.command(&["apply", &file]).failure(1);
    for part in ["session_limit", "is no number of Germany", "did you mean porridge-chat?", "3 mistakes"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
    assert_eq!(rows(&stack, "select id from tenants").await, [""; 0]);
    let off = stack.file("off.toml", &text.replace("sms_messaging = true", "sms_messaging = false"));
    assert!(stack.command(&["apply", &off]).failure(1).contains("sms_messaging is false"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_belongs_to_one_tenant() {
    let stack = Stack::new().await;
    stack.command(&["apply", EXAMPLE]).success();
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let others = text.replace("tenant = \"three-bears\"", "tenant = \"wolves\"").replace("\"sim\"", "\"wolf-sim\"");
    let said = stack.command(&["apply", &stack.file("wolves.toml", &others)]).failure(1);
    assert!(said.contains("\"+15550100001\" is another tenant's number"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_messaging_is_off_texts_are_set_aside() {
    let stack = Stack::new().await;
    stack.command(&["apply", EXAMPLE]).success();
    let _texthub = stack.start(&["all"]).await;
    let head = "tenant = \"three-bears\"\nname = \"Three Bears Porridge\"\nsms_messaging = false\ntime_zone = \"America/New_York\"\n";
    stack.command(&["apply", &stack.file("off.toml", head)]).success();
    let desk = stack.desk("three-bears").await;
    let id = desk.text("+15557000002", "+15550100001", "Anyone there?").await;
    let dead = stack.dead(1).await;
    assert_eq!(dead, [(id, "disabled_tenant".to_owned())]);
    assert_eq!(rows(&stack, "select id::text from rooms").await, [""; 0]);
}
