use super::*;
use crate::flow::check::{self, Known};
use serde_json::json;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn flows(documents: &[(&str, Value)]) -> Flows {
    let compiled = |document: &Value| {
        check::flow(&document.to_string(), &Known::default()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
    };
    documents.iter().map(|(id, document)| ((*id).to_owned(), (1, Arc::new(compiled(document))))).collect()
}

fn looks(second: i64) -> Looks {
    let queue = Queue { length: 2, estimated_wait_s: 60, logged_in: 1, ready: 0 };
    Looks {
        now: at(second),
        zone: TimeZone::UTC,
        contact: json!({"channel": "sms", "customer": "+15550100100", "waited_s": 0}),
        customer: json!({"sessions": 3, "last_agent": "mama", "days_since": 1}),
        queues: [("sms".to_owned(), queue)].into(),
        is_queued: false,
    }
}

fn began(flows: &Flows) -> (Run, Vec<Effect>) {
    let mut run = Run::new("a", 1, &flows["a"].1);
    let effects = step(flows, &mut run, Event::Began("hello".into()), &looks(0));
    (run, effects)
}

fn say(text: &str) -> Effect {
    Effect::Say(text.to_owned())
}

fn asking() -> Flows {
    flows(&[(
        "a",
        json!({"name": "x", "start": "ask", "variables": {"reply": ""}, "nodes": {
        "ask": {"type": "ask", "text": "1 or 2?", "store": "reply", "timeout_s": 60, "retries": 1, "retry_text": "1 or 2, please",
                "branches": [{"keywords": ["1", "One"], "next": "one"}, {"when": "size(text) > 10", "next": "two"}],
                "otherwise": "else", "timed_out": "late"},
        "one": {"type": "send", "text": "one", "next": "end"}, "two": {"type": "send", "text": "two: {{ vars.reply }}", "next": "end"},
        "else": {"type": "send", "text": "else", "next": "end"}, "late": {"type": "send", "text": "late", "next": "end"},
        "end": {"type": "end", "outcome": "answered"}}}),
    )])
}

#[test]
fn replies_go_by_keyword_by_condition_and_else_after_the_retries() {
    let flows = asking();
    for (replies, expected) in [
        (&[" oNe "][..], vec![say("one")]),
        (&["a long reply"][..], vec![say("two: a long reply")]),
        (&["x", "1"][..], vec![say("1 or 2, please"), say("one")]),
        (&["x", "y"][..], vec![say("1 or 2, please"), say("else")]),
    ] {
        let (mut run, first) = began(&flows);
        assert_eq!(first, [say("1 or 2?")]);
        let mut said = Vec::new();
        for (nth, reply) in (1..).zip(replies) {
            said.extend(step(&flows, &mut run, Event::Texted((*reply).to_owned()), &looks(nth)));
        }
        assert_eq!(said.pop(), Some(Effect::End(Outcome::Answered)));
        assert_eq!(said, expected, "{replies:?}");
        assert_eq!(run.phase, Phase::Over);
    }
}

#[test]
fn silence_leads_on_at_the_deadline_and_not_before() {
    let flows = asking();
    let (mut run, _) = began(&flows);
    assert_eq!(run.due_at, Some(at(60)));
    assert_eq!(step(&flows, &mut run, Event::Due, &looks(59)), []);
    assert_eq!(step(&flows, &mut run, Event::Due, &looks(60)), [say("late"), Effect::End(Outcome::Answered)]);
    assert_eq!(step(&flows, &mut run, Event::Texted("1".into()), &looks(61)), [], "over is over");
}

#[test]
fn while_queued_each_exit_by_time_is_taken_once_and_the_clock_goes_on() {
    let flows = flows(&[(
        "a",
        json!({"name": "x", "start": "agent", "nodes": {
        "agent": {"type": "request_agent", "skill": "sms", "prefer": "last_agent", "hold_s": 20,
                  "waited": [{"seconds": 30, "next": "sorry"}, {"seconds": 90, "next": "up"}]},
        "sorry": {"type": "send", "text": "sorry", "next": "agent"},
        "up": {"type": "request_agent", "skill": "sms", "priority": 9}}}),
    )]);
    let (mut run, effects) = began(&flows);
    let request = Request {
        skill: Some("sms".into()),
        priority: None,
        proficiency: None,
        prefer: Some("mama".into()),
        hold_until: Some(at(20)),
    };
    assert_eq!(effects, [Effect::Queue(request.clone())]);
    assert_eq!(run.due_at, Some(at(30)));
    let queued = |second| Looks { is_queued: true, ..looks(second) };
    assert_eq!(step(&flows, &mut run, Event::Due, &queued(30)), [say("sorry"), Effect::Queue(request)]);
    assert_eq!(run.due_at, Some(at(90)), "since the contact was queued");
    let up =
        Request { skill: Some("sms".into()), priority: Some(9), proficiency: None, prefer: None, hold_until: None };
    assert_eq!(step(&flows, &mut run, Event::Due, &queued(91)), [Effect::Queue(up)]);
    assert_eq!(run.phase, Phase::Over, "nothing is left to wait for");
}

#[test]
fn nobody_is_asked_while_queued() {
    let asks = json!({"name": "b", "start": "ask", "nodes": {
        "ask": {"type": "ask", "text": "hot?", "timeout_s": 60, "branches": [], "otherwise": "end", "timed_out": "sorry"},
        "sorry": {"type": "send", "text": "sorry", "next": "agent"}, "agent": {"type": "request_agent", "skill": "sms"},
        "end": {"type": "end"}}});
    let hands = json!({"name": "a", "start": "agent", "nodes": {
        "agent": {"type": "request_agent", "skill": "sms", "waited": [{"seconds": 30, "next": "over"}]},
        "over": {"type": "transfer_flow", "flow": "b"}}});
    let flows = flows(&[("a", hands), ("b", asks)]);
    let (mut run, _) = began(&flows);
    let queued = Looks { is_queued: true, ..looks(30) };
    let effects = step(&flows, &mut run, Event::Due, &queued);
    assert_eq!(effects.first(), Some(&say("sorry")));
    assert!(matches!(effects.last(), Some(Effect::Queue(_))), "{effects:?}");
    assert_eq!(run.phase, Phase::Over);
}

#[test]
fn nobody_logged_in_and_a_long_queue_lead_elsewhere() {
    let document = json!({"name": "x", "start": "agent", "nodes": {
        "agent": {"type": "request_agent", "skill": "sms", "nobody_logged_in": "nobody",
                  "queue_longer_than": {"contacts": 2, "next": "full"}},
        "nobody": {"type": "send", "text": "nobody", "next": "end"}, "full": {"type": "send", "text": "full", "next": "end"},
        "end": {"type": "end"}}});
    let flows = flows(&[("a", document)]);
    for (logged_in, length, expected) in [(0, 0, Some("nobody")), (1, 3, Some("full")), (1, 2, None)] {
        let mut run = Run::new("a", 1, &flows["a"].1);
        let queue = Queue { length, logged_in, ..Queue::default() };
        let looks = Looks { queues: [("sms".to_owned(), queue)].into(), ..looks(0) };
        let effects = step(&flows, &mut run, Event::Began("hi".into()), &looks);
        match expected {
            Some(text) => assert_eq!(effects, [say(text), Effect::End(Outcome::Abandoned)]),
            None => assert!(matches!(effects[..], [Effect::Queue(_)]), "{effects:?}"),
        }
    }
}

#[test]
fn a_program_is_called_and_its_answer_or_its_failure_leads_on() {
    let document = json!({"name": "x", "start": "hook", "variables": {"crm": null}, "nodes": {
        "hook": {"type": "webhook", "url": "https://crm.example/look", "body": {"who": "contact.customer"}, "store": "crm",
                 "timeout_ms": 2000, "next": "hi", "failed": "end"},
        "hi": {"type": "send", "text": "Hi {{ vars.crm.name }}", "next": "end"}, "end": {"type": "end"}}});
    let flows = flows(&[("a", document)]);
    let (mut run, effects) = began(&flows);
    let Effect::Call(call) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!((call.number, json!(call.body)), (1, json!({"who": "+15550100100"})));
    assert_eq!(run.due_at, Some(at(62)), "the call's own time-out and a minute of grace");
    let mut other = run.clone();
    assert_eq!(step(&flows, &mut run, Event::Answered(2, Ok(json!({}))), &looks(1)), [], "another call's");
    let answer = Event::Answered(1, Ok(json!({"name": "Goldi"})));
    assert_eq!(step(&flows, &mut run, answer, &looks(1)), [say("Hi Goldi"), Effect::End(Outcome::Abandoned)]);
    let large = Event::Answered(1, Ok(json!("x".repeat(5_000))));
    assert_eq!(step(&flows, &mut other.clone(), large, &looks(1)), [Effect::End(Outcome::Abandoned)]);
    assert_eq!(step(&flows, &mut other, Event::Due, &looks(62)), [Effect::End(Outcome::Abandoned)], "no word at all");
}

#[test]
fn a_flow_goes_on_in_another_with_the_variables_that_both_have() {
    let a = json!({"name": "a", "start": "set", "variables": {"x": 1, "y": 2}, "nodes": {
        "set": {"type": "set", "set": {"x": "vars.x + 10"}, "next": "over"}, "over": {"type": "transfer_flow", "flow": "b"}}});
    let b = json!({"name": "b", "start": "say", "variables": {"x": 0, "z": 7}, "nodes": {
        "say": {"type": "send", "text": "{{ vars.x }} {{ vars.z }}", "next": "end"}, "end": {"type": "end"}}});
    let (run, effects) = began(&flows(&[("a", a.clone()), ("b", b)]));
    assert_eq!(effects, [say("11 7"), Effect::End(Outcome::Abandoned)]);
    assert_eq!(run.flow, "b");
    let (run, effects) = began(&flows(&[("a", a)]));
    assert!(matches!(&effects[..], [Effect::Queue(Request { skill: None, .. })]), "the flow is gone: an agent sees it");
    assert_eq!(run.notes, ["a/over: no_such_flow"]);
}

#[test]
fn two_flows_that_hand_over_to_each_other_for_ever_end_with_an_agent() {
    let to =
        |other: &str| json!({"name": "x", "start": "go", "nodes": {"go": {"type": "transfer_flow", "flow": other}}});
    let (run, effects) = began(&flows(&[("a", to("b")), ("b", to("a"))]));
    assert!(matches!(effects[..], [Effect::Queue(_)]));
    assert!(run.notes.last().unwrap().ends_with("too_many_steps"));
}

#[test]
fn a_text_goes_out_once_in_a_session_and_five_in_a_row_are_the_most() {
    let document = json!({"name": "x", "start": "say", "nodes": {
        "say": {"type": "send", "text": "closed", "next": "ask"},
        "ask": {"type": "ask", "text": "?", "timeout_s": 60, "branches": [{"keywords": ["yes"], "next": "say"}],
                "otherwise": "say", "timed_out": "end"}, "end": {"type": "end"}}});
    let flows = flows(&[("a", document)]);
    let (mut run, effects) = began(&flows);
    assert_eq!(effects, [say("closed"), say("?")]);
    assert_eq!(step(&flows, &mut run, Event::Texted("auto-reply".into()), &looks(1)), [], "said before");
    run.in_a_row = MAX_IN_A_ROW - 1;
    run.sent.clear();
    assert_eq!(step(&flows, &mut run, Event::Texted("auto-reply".into()), &looks(2)), [say("closed")], "the fifth");
    run.sent.clear();
    assert_eq!(step(&flows, &mut run, Event::Texted("auto-reply".into()), &looks(3)), [], "the brake holds");
    assert_eq!(step(&flows, &mut run, Event::Texted("yes".into()), &looks(4)), [say("closed"), say("?")], "a person");
}

#[test]
fn variables_cannot_outgrow_their_row() {
    let doubling: Vec<Value> = (0..20)
        .map(|n| json!({"type": "set", "set": {"x": "vars.x + vars.x"}, "next": format!("n{}", n + 1)}))
        .collect();
    let mut nodes: Map<String, Value> =
        doubling.into_iter().enumerate().map(|(n, node)| (format!("n{n}"), node)).collect();
    nodes.insert("n20".into(), json!({"type": "end"}));
    let flows = flows(&[("a", json!({"name": "x", "start": "n0", "variables": {"x": "aaaaaaaaaa"}, "nodes": nodes}))]);
    let (run, _) = began(&flows);
    let length = run.variables["x"].as_str().unwrap().len();
    assert!(length <= 1_600, "{length}");
    assert!(run.notes.iter().any(|note| note.ends_with("too_long")), "{:?}", run.notes);
}

#[test]
fn a_state_survives_as_a_row_wherever_it_waits() {
    let flows = asking();
    let (run, _) = began(&flows);
    let again: Run = serde_json::from_value(serde_json::to_value(&run).unwrap()).unwrap();
    assert_eq!(again, run);
}
