//! Outreach in quiet hours through the real queues: held and told so, passed by an answer, released at its time, and never
//! to somebody who opted out meanwhile.

use crate::hub::clean;
use crate::support::stack::Stack;

const OURS: &str = "+15550100001";
/// Of New York: area code 212, no number of fiction.
const CUSTOMER: &str = "+12125552368";
const OTHER: &str = "+12125552369";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The example with hours on one day of the week alone, three days from now.
fn file() -> String {
    let today = texthub::runtime::clock::wall().to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_zero_offset();
    let day = DAYS[(usize::try_from(today).unwrap() + 3) % 7];
    let example = include_str!("../../../examples/three-bears.toml");
    example.replacen("[[", &format!("[quiet_hours]\ndays = [\"{day}\"]\n\n[["), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn outreach_waits_for_its_hour_and_an_answer_does_not() {
    let stack = Stack::new().await;
    let tenant = stack.file("quiet.toml", &file());
    stack.command(&["apply", &tenant]).success();
    let _texthub = stack.start(&["all"]).await;
    let mut desk = stack.desk("three-bears").await;
    desk.doubles = true;
    desk.log_in("mama-bear").await;
    desk.outreach("mama-bear", OURS, CUSTOMER, "Porridge is on sale").await;
    let entry = desk.appended("Porridge is on sale").await;
    let held = desk.heard("sms.changed", |fact| fact["sms_id"] == entry["sms_id"] && fact["status"] == "held").await;
    assert_eq!(held["reason"], "quiet_hours");
    assert!(held["until"].as_str().is_some(), "{held}");
    desk.outreach("mama-bear", OURS, OTHER, "For you too").await;
    let other = desk.appended("For you too").await;
    desk.heard("sms.changed", |fact| fact["sms_id"] == other["sms_id"] && fact["status"] == "held").await;

    desk.text(CUSTOMER, OURS, "Are you open?").await;
    assert_eq!(desk.appended("Are you open?").await["room_id"], entry["room_id"]);
    desk.reply("mama-bear", entry["room_id"].as_str().unwrap(), "Until nine").await;
    let answer = desk.appended("Until nine").await;
    desk.heard("sms.changed", |fact| fact["sms_id"] == answer["sms_id"] && fact["status"] == "delivered").await;
    desk.text(OTHER, OURS, "STOP").await;

    // as if the day had come
    stack.command(&["apply", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")]).success();
    let client = stack.database.pool.get().await.unwrap();
    let open = "update tenants set quiet_hours = quiet_hours || '{\"on\": false}'";
    client.execute(open, &[]).await.unwrap();
    client.execute("update sms set not_before = now() where not_before is not null", &[]).await.unwrap();
    desk.heard("sms.changed", |fact| fact["sms_id"] == entry["sms_id"] && fact["status"] == "delivered").await;
    let failed =
        desk.heard("sms.changed", |fact| fact["sms_id"] == other["sms_id"] && fact["status"] == "failed").await;
    assert_eq!(failed["reason"], "opted_out");
    clean(&stack).await;
}
