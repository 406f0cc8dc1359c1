//! Decisions as vectors: summer time, numbers of two zones, toll-free ones, weekdays, states, a tenant's own hours.

use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A promotional text to a number: the verdict, and when it may arrive.
fn ask(to: &str, now: &str) -> (Verdict, Option<String>) {
    asked(to, now, &json!({}))
}

fn asked(to: &str, now: &str, policy: &serde_json::Value) -> (Verdict, Option<String>) {
    let policy = Policy::of(policy.clone());
    let decision = decide(at(now), to, Purpose::Promotional, &policy, "Europe/Vienna");
    (decision.verdict, decision.until.map(|until| until.to_string()))
}

fn quiet(until: &str) -> (Verdict, Option<String>) {
    (Verdict::Quiet, Some(until.to_owned()))
}

const OPEN: (Verdict, Option<String>) = (Verdict::Open, None);
const NEW_YORK: &str = "+12125552368";

#[test]
fn a_text_leaves_from_eight_to_nine_by_the_clock_of_its_recipient() {
    // Wednesday, standard time: New York is five hours behind
    assert_eq!(ask(NEW_YORK, "2026-11-25T12:59:59Z"), quiet("2026-11-25T13:00:00Z"));
    assert_eq!(ask(NEW_YORK, "2026-11-25T13:00:00Z"), OPEN);
    assert_eq!(ask(NEW_YORK, "2026-11-26T01:59:59Z"), OPEN, "20:59:59");
    assert_eq!(ask(NEW_YORK, "2026-11-26T02:00:00Z"), quiet("2026-11-26T13:00:00Z"), "21:00");
}

#[test]
fn eight_o_clock_comes_an_hour_earlier_after_the_clocks_went_forward() {
    // 8 March 2026, 02:00 to 03:00; 1 November 2026, 02:00 to 01:00
    assert_eq!(ask(NEW_YORK, "2026-03-07T03:00:00Z"), quiet("2026-03-07T13:00:00Z"));
    assert_eq!(ask(NEW_YORK, "2026-03-08T03:00:00Z"), quiet("2026-03-08T12:00:00Z"));
    assert_eq!(ask(NEW_YORK, "2026-11-01T01:30:00Z"), quiet("2026-11-01T13:00:00Z"));
    // hours that begin in the gap begin where it ends
    let policy = json!({"from": "02:30", "to": "20:00"});
    let decision =
        decide(at("2026-03-08T05:00:00Z"), "+12125552368", Purpose::Informational, &Policy::of(policy), "UTC");
    assert_eq!(decision.until, Some(at("2026-03-08T07:30:00Z")), "03:30 in New York");
}

#[test]
fn all_zones_of_a_number_must_be_inside() {
    for (number, first, last) in [
        // South and North Dakota: Central and Mountain
        ("+16052212368", "2026-11-25T15:00:00Z", "2026-11-26T02:59:59Z"),
        ("+17012212368", "2026-11-25T15:00:00Z", "2026-11-26T02:59:59Z"),
        // Nevada and Idaho: Mountain and Pacific
        ("+17752212368", "2026-11-25T16:00:00Z", "2026-11-26T03:59:59Z"),
        ("+19862212368", "2026-11-25T16:00:00Z", "2026-11-26T03:59:59Z"),
        // Alaska: Anchorage and Adak
        ("+19072212368", "2026-11-25T18:00:00Z", "2026-11-26T05:59:59Z"),
    ] {
        assert_eq!(ask(number, "2026-11-25T10:00:00Z"), quiet(first), "{number}");
        assert_eq!(ask(number, first).0, Verdict::Open, "{number}");
        assert_eq!(ask(number, last).0, Verdict::Open, "{number}");
        let after = at(last).checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        assert_eq!(ask(number, &after.to_string()).0, Verdict::Quiet, "{number}");
    }
    // Newfoundland is half an hour before Halifax; Canada has no hours of its own here, so the tenant's count
    let policy = json!({"from": "09:00", "to": "20:00"});
    assert_eq!(asked("+17092212368", "2026-11-25T12:45:00Z", &policy), quiet("2026-11-25T13:00:00Z"));
    assert_eq!(asked("+18792212368", "2026-11-25T12:45:00Z", &policy), quiet("2026-11-25T13:00:00Z"));
}

#[test]
fn where_nobody_knows_the_state_the_hours_of_all_hold_in_all_zones() {
    // Friday: from 8 in Honolulu (18:00 UTC) to 18 in Rhode Island's zone (23:00 UTC), and so in every zone
    assert_eq!(
        ask("+18005552368", "2026-11-27T13:00:00Z"),
        quiet("2026-11-27T19:00:00Z"),
        "9 o'clock in Honolulu: CT, RI, TX"
    );
    assert_eq!(ask("+18005552368", "2026-11-27T22:59:59Z"), OPEN);
    assert_eq!(ask("+18005552368", "2026-11-27T23:00:00Z").0, Verdict::Quiet);
    // Sunday: Texas begins at noon, in Honolulu too, when it is five in New York and Rhode Island is over
    let (verdict, until) = ask("+18005552368", "2026-11-29T13:00:00Z");
    assert_eq!((verdict, until.as_deref()), (Verdict::Quiet, Some("2026-11-30T19:00:00Z")), "not on a Sunday at all");
}

#[test]
fn stricter_states_by_area_code_and_weekday() {
    for (what, number, from, to) in [
        ("FL", "+13055552368", "2026-11-25T13:00:00Z", "2026-11-26T01:00:00Z"),
        ("MD", "+14105552368", "2026-11-25T13:00:00Z", "2026-11-26T01:00:00Z"),
        ("MS", "+16015552368", "2026-11-25T14:00:00Z", "2026-11-26T02:00:00Z"),
        ("NJ", "+16095552368", "2026-11-25T13:00:00Z", "2026-11-26T01:00:00Z"),
        ("OK", "+14055552368", "2026-11-25T14:00:00Z", "2026-11-26T02:00:00Z"),
        ("CT", "+12035552368", "2026-11-25T14:00:00Z", "2026-11-26T01:00:00Z"),
        ("RI, Wednesday", "+14015552368", "2026-11-25T14:00:00Z", "2026-11-25T23:00:00Z"),
        ("RI, Saturday", "+14015552368", "2026-11-28T15:00:00Z", "2026-11-28T22:00:00Z"),
        ("TX, Saturday", "+15125552368", "2026-11-28T15:00:00Z", "2026-11-29T03:00:00Z"),
        ("TX, Sunday", "+15125552368", "2026-11-29T18:00:00Z", "2026-11-30T03:00:00Z"),
    ] {
        let second =
            |text: &str, by: i64| at(text).checked_add(jiff::SignedDuration::from_secs(by)).unwrap().to_string();
        assert_eq!(ask(number, &second(from, -1)), quiet(from), "{what}");
        assert_eq!(ask(number, from), OPEN, "{what}");
        assert_eq!(ask(number, &second(to, -1)), OPEN, "{what}");
        assert_eq!(ask(number, to).0, Verdict::Quiet, "{what}");
    }
}

#[test]
fn a_tenant_narrows_and_never_widens() {
    let night = "2026-11-25T08:00:00Z";
    assert_eq!(asked(NEW_YORK, night, &json!({"from": "00:00", "to": "24:00"})), quiet("2026-11-25T13:00:00Z"));
    assert_eq!(asked(NEW_YORK, night, &json!({"from": "10:00", "to": "24:00"})), quiet("2026-11-25T15:00:00Z"));
    assert_eq!(asked(NEW_YORK, night, &json!({"days": ["fri"]})), quiet("2026-11-27T13:00:00Z"));
    let kentucky = json!({"places": {"US-KY": {"from": "10:00"}}});
    assert_eq!(asked("+15025552368", night, &kentucky), quiet("2026-11-25T15:00:00Z"));
    assert_eq!(asked(NEW_YORK, night, &kentucky), quiet("2026-11-25T13:00:00Z"));
    let berlin = json!({"places": {"DE": {"from": "09:00", "to": "18:00"}}});
    assert_eq!(asked("+4930123456", "2026-11-25T07:59:00Z", &berlin), quiet("2026-11-25T08:00:00Z"));
    assert_eq!(asked("+4930123456", "2026-11-25T07:59:00Z", &json!({})), OPEN, "no law of Germany is in the data");
    assert_eq!(asked("+18005552368", night, &json!({"to": "09:00"})), (Verdict::Never, None));
}

#[test]
fn who_is_exempt_and_what_for_is_told() {
    let night = at("2026-11-25T08:00:00Z");
    let why = |to: &str, purpose, policy: serde_json::Value| decide(night, to, purpose, &Policy::of(policy), "UTC").why;
    assert_eq!(why(NEW_YORK, Purpose::Conversational, json!({})).as_deref(), Some("purpose"));
    assert_eq!(why(NEW_YORK, Purpose::Promotional, json!({"on": false})).as_deref(), Some("switched_off"));
    assert_eq!(why("12345", Purpose::Promotional, json!({})).as_deref(), Some("no_phone"));
    assert_eq!(why("+15550100001", Purpose::Promotional, json!({})).as_deref(), Some("fictional_number"));
    assert_eq!(why(NEW_YORK, Purpose::Promotional, json!({})), None);
    let own = json!({"exempt": [], "from": "09:00"});
    let reply = decide(night, NEW_YORK, Purpose::Conversational, &Policy::of(own), "UTC");
    assert_eq!((reply.verdict, reply.until), (Verdict::Quiet, Some(at("2026-11-25T14:00:00Z"))));
}

#[test]
fn a_decision_keeps_what_it_rests_on() {
    let decision = decide(at("2026-11-25T08:00:00Z"), "+13055552368", Purpose::Promotional, &Policy::default(), "UTC");
    let kept = serde_json::to_value(&decision).unwrap();
    assert_eq!(
        kept,
        json!({
            "verdict": "quiet", "purpose": "promotional", "at": "2026-11-25T08:00:00Z", "until": "2026-11-25T13:00:00Z",
            "country": "US", "states": ["US-FL"], "basis": "prefix",
            "zones": [{"zone": "America/New_York", "clock": "Wed 03:00", "hours": "08:00-20:00"}],
            "rules": ["us_federal", "us_fl"],
        })
    );
    assert_eq!(serde_json::from_value::<Decision>(kept).unwrap(), decision);
}
