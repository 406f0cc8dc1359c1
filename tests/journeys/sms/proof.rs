//! The commands about consent, before the whole stack: opting out by hand, a list from elsewhere, asking, proof, forgetting
//! and blocked senders; and an author who is told why.

use serde_json::Value;

use crate::hub::{bears, clean};
use crate::support::stack::{Stack, until};

const OURS: &str = "+15550100001";
const ASKED: &str = "+15557000001";
const OUT: &str = "+15557000002";
const LISTED: &str = "+15557000003";
const NUISANCE: &str = "+15557000004";

fn json(stack: &Stack, arguments: &[&str]) -> Value {
    serde_json::from_str(&stack.command(arguments).success()).unwrap()
}

fn states(stack: &Stack) -> Vec<String> {
    let list = json(stack, &["consent", "list", "--json"]);
    let line = |one: &Value| format!("{} {}", one["customer_number"].as_str().unwrap(), one["state"].as_str().unwrap());
    let mut all: Vec<String> = list.as_array().unwrap().iter().map(line).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_opted_out_by_hand_and_asked_by_one_text() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;

    // by hand, with who and how; the agent is told why nothing leaves
    desk.log_in("mama-bear").await;
    desk.text(OUT, OURS, "stop texting me please").await;
    let flagged = desk.appended("stop texting me please").await;
    assert_eq!(flagged["flags"], serde_json::json!(["maybe_opt_out"]));
    let offer = desk.offer("mama-bear").await;
    let room = desk.accept(&offer).await;
    let fact = flagged["cause_id"].as_str().unwrap();
    let by_hand = ["consent", "opt-out", OUT, "--our-number", OURS, "--by", "agent:mama-bear", "--fact", fact];
    stack.command(&by_hand).success();
    let reply = desk.reply("mama-bear", &room, "As you wish.").await;
    assert_eq!(desk.refused(&reply).await, "opted_out");
    let proof = json(&stack, &["consent", "show", OUT, "--json"]);
    assert_eq!((&proof[0]["method"], &proof[0]["actor"]), (&"agent".into(), &"agent:mama-bear".into()));
    assert_eq!(proof[0]["source"]["fact_id"], fact);
    stack.command(&["consent", "ask", OUT, "--our-number", OURS]).failure(1);
    stack.command(&["consent", "opt-out", OUT, "--our-number", "+19"]).failure(1);

    // one text asks, a YES completes it
    stack.command(&["consent", "ask", ASKED, "--our-number", OURS, "--method", "web"]).success();
    stack.command(&["consent", "ask", ASKED, "--our-number", OURS]).failure(1);
    assert_eq!(states(&stack), [format!("{ASKED} asked"), format!("{OUT} out")]);
    desk.appended("Three Bears Porridge: reply YES to get our texts, STOP to get none.").await;
    desk.text(ASKED, OURS, "Yes").await;
    desk.appended("Three Bears Porridge: welcome back to the table. Text STOP whenever you have had enough.").await;
    assert_eq!(states(&stack), [format!("{OUT} out")]);

    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_and_proof_goes_out_and_the_forgotten_and_the_blocked_stay_out() {
    let (stack, _texthub) = bears().await;
    let desk = stack.desk("three-bears").await;
    desk.log_in("mama-bear").await;

    // a list, whole or not at all, and the same again changes nothing
    let head = "customer_number,kind,our_number,basis,disclosure,ip,at\n";
    let good = format!(
        "{head}{LISTED},opt_out,,,,,\n{ASKED},opt_in,{OURS},written,\"We text, weekly.\",192.0.2.1,2026-01-01T00:00:00Z\n"
    );
    let bad = stack.file("bad.csv", &format!("{good}+15557000009,opt_out,+15550000000,,,,\nx,opt_out,,,,,\n"));
    let told = stack.command(&["consent", "import", &bad]).failure(1);
    for mistake in
        ["bad.csv:4: \"+15550000000\" is no number of three-bears", "bad.csv:5: customer_number is no number"]
    {
        assert!(told.contains(mistake), "{told}");
    }
    let good = stack.file("good.csv", &good);
    assert_eq!(json(&stack, &["consent", "import", &good, "--dry-run", "--json"])["added"], 2);
    assert_eq!(json(&stack, &["consent", "import", &good, "--json"])["added"], 2);
    assert_eq!(json(&stack, &["consent", "import", &good, "--json"])["added"], 0);
    assert_eq!(states(&stack), [format!("{LISTED} out")]);
    let lines = stack.command(&["consent", "export", "--customer", ASKED]).success();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["disclosure"], &last["basis"]), (&"We text, weekly.".into(), &"written".into()));
    assert_eq!(last["disclosure_sha256"].as_str().unwrap().len(), 64);
    let csv = stack.command(&["consent", "export", "--format", "csv"]).success();
    assert_eq!(csv.matches(",three-bears,").count(), 2, "{csv}");

    // forgotten, and still blocked
    stack.command(&["consent", "forget", LISTED, "--yes"]).success();
    assert!(!stack.command(&["consent", "export", "--format", "csv"]).success().contains(LISTED));
    let outreach = desk.outreach("mama-bear", OURS, LISTED, "Porridge?").await;
    assert_eq!(desk.refused(&outreach).await, "opted_out");

    // blocked, and released
    stack.command(&["block", "add", NUISANCE, "--reason", "prank"]).success();
    desk.text(NUISANCE, OURS, "Is your porridge running?").await;
    let withheld = async || json(&stack, &["block", "list", "--json"])[0]["texts_blocked"] == 1;
    until("the text is withheld", withheld).await;
    stack.command(&["block", "remove", NUISANCE, "--release"]).success();
    desk.appended("Is your porridge running?").await;
    clean(&stack).await;
}
