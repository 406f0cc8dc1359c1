//! Flows by chance, made of what an enemy would write, and events in any order: each step ends within its budget, keeps
//! its row small, waits for something or is over, and leads nobody into nothing.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::*;
use crate::flow::check::{self, Known, Mistake};
use crate::runtime::clock::Stopwatch;

/// The dearest conditions and values that pass, and some that do not.
fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("text".to_owned() + &"+text".repeat(99)),
        Just("vars.x + vars.x".to_owned()),
        Just("[vars.x, vars.x, vars.x, [vars.y, vars.y]]".to_owned()),
        Just("{'a': vars.y, 'b': vars.y}".to_owned()),
        Just("size(text) > 3 && word.contains(word) || !(vars.x == vars.y)".to_owned()),
        Just("vars.y in vars.x".to_owned()),
        Just("customer.last_agent == 'mama' && queue['sms'].length > 1".to_owned()),
        Just("1 / 0".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("now.hour * 9223372036854775807".to_owned()),
        Just("[1].map(x, x)".to_owned()),
        Just("(".repeat(20) + "true" + &")".repeat(20)),
        "[a-z0-9+*/()'.,?:!\\[\\]{}\\\\ \"-]{0,40}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{{ vars.x }}".repeat(300)),
        Just("{{ text | upper }}{{ vars.y }}".to_owned()),
        Just("{% if vars.x == vars.y %}{{ word }}{% endif %}".to_owned()),
        Just("{{ vars.x * 1000000 }}".to_owned()),
        Just("hello".to_owned()),
        "[a-z{}%#' .|~*-]{1,30}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    (0..8_u8).prop_map(|n| format!("n{n}"))
}

fn node() -> impl Strategy<Value = Value> {
    let cases = || {
        prop::collection::vec((source(), name()), 0..12).prop_map(|cases| {
            cases.into_iter().map(|(when, next)| json!({"when": when, "next": next})).collect::<Vec<_>>()
        })
    };
    prop_oneof![
        (text(), name()).prop_map(|(text, next)| json!({"type": "send", "text": text, "next": next})),
        (text(), cases(), name(), name(), 0..6_u8).prop_map(|(text, branches, otherwise, late, retries)| {
            json!({"type": "ask", "text": text, "store": "y", "timeout_s": 5, "retries": retries, "branches": branches,
                   "otherwise": otherwise, "timed_out": late})
        }),
        (cases(), name()).prop_map(|(branches, otherwise)| json!({"type": "branch", "branches": branches, "otherwise": otherwise})),
        (source(), source(), name()).prop_map(|(x, y, next)| json!({"type": "set", "set": {"x": x, "y": y}, "next": next})),
        (name(), name(), name()).prop_map(|(first, second, nobody)| {
            json!({"type": "request_agent", "skill": "sms", "waited": [{"seconds": 1, "next": first}, {"seconds": 9, "next": second}],
                   "nobody_logged_in": nobody})
        }),
        name().prop_map(|next| json!({"type": "wait", "seconds": 1, "next": next})),
        prop_oneof![Just("a"), Just("b"), Just("gone")].prop_map(|flow| json!({"type": "transfer_flow", "flow": flow})),
        (source(), name(), name()).prop_map(|(body, next, failed)| {
            json!({"type": "webhook", "url": "https://x.example/", "body": {"b": body}, "store": "x", "next": next, "failed": failed})
        }),
        Just(json!({"type": "end"})),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::vec(node(), 8).prop_map(|nodes| {
        let nodes: Map<String, Value> =
            nodes.into_iter().enumerate().map(|(n, node)| (format!("n{n}"), node)).collect();
        json!({"name": "x", "start": "n0", "variables": {"x": "x", "y": ["y"]}, "nodes": nodes})
    })
}

/// A document with what is at fault mended: harmless conditions and texts, a wait in each circle, an end for the rest.
fn mended(mut document: Value) -> Option<Flow> {
    for _ in 0..30 {
        let mistakes: Vec<Mistake> = match check::flow(&document.to_string(), &Known::default()) {
            Ok(flow) => return Some(flow),
            Err(mistakes) => mistakes,
        };
        for mistake in mistakes {
            let name = mistake.place.split('/').nth(2).unwrap_or_default().to_owned();
            let circle = mistake.what.strip_prefix("it goes round without waiting: ");
            let at_fault = document.pointer_mut(&mistake.place);
            if let Some(source) = at_fault.filter(|part| part.is_string()) {
                *source = json!(if mistake.place.ends_with("/text") { "hello" } else { "text == vars.x" });
                continue;
            }
            let nodes = document["nodes"].as_object_mut()?;
            if mistake.what.starts_with("no way leads") {
                nodes.remove(&name);
            } else if let Some(circle) = circle {
                let next = circle.split(" → ").nth(1).unwrap_or(&name);
                nodes.insert(name.clone(), json!({"type": "wait", "seconds": 1, "next": next}));
            } else if nodes.contains_key(&name) {
                nodes.insert(name, json!({"type": "end"}));
            }
        }
    }
    None
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => "[a-z ]{0,20}".prop_map(Event::Texted),
        1 => Just(Event::Texted("\u{202e}x".repeat(2_000))),
        3 => Just(Event::Due),
        1 => (0..5_u32).prop_map(|n| Event::Answered(n, Ok(json!({"deep": [[[["x".repeat(2_000)]]]]})))),
        1 => (0..5_u32).prop_map(|n| Event::Answered(n, Err("time_out".to_owned()))),
    ]
}

fn looks(second: i64, is_queued: bool) -> Looks {
    let queue = Queue { length: 2, estimated_wait_s: 60, logged_in: 1, ready: 0 };
    Looks {
        now: Timestamp::from_second(1_800_000_000 + second).unwrap(),
        zone: TimeZone::UTC,
        contact: json!({"channel": "sms", "customer": "+15550100100"}),
        customer: json!({"sessions": 3, "last_agent": "mama", "days_since": 1}),
        queues: [("sms".to_owned(), queue)].into(),
        is_queued,
    }
}

#[test]
fn whatever_is_published_every_step_ends_within_its_budget() {
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
    let (steps, effects) = (Cell::new(0_usize), Cell::new(0_usize));
    let flows = (document(), document(), prop::collection::vec(event(), 1..25));
    let run = TestRunner::new(config).run(&flows, |(a, b, events)| {
        let (Some(a), Some(b)) = (mended(a), mended(b)) else { return Ok(()) };
        let flows: Flows = [("a".to_owned(), (1, Arc::new(a))), ("b".to_owned(), (1, Arc::new(b)))].into();
        let (mut run, mut is_queued) = (Run::new("a", 1, &flows["a"].1), false);
        let all = std::iter::once(Event::Began("x".repeat(1_600))).chain(events);
        for (second, event) in (0..).step_by(60).zip(all) {
            let some = held(&flows, &mut run, event, &looks(second, is_queued))?;
            is_queued |= some.iter().any(|effect| matches!(effect, Effect::Queue(_)));
            let has_ended = some.iter().any(|effect| matches!(effect, Effect::End(_)));
            prop_assert!(run.phase != Phase::Over || has_ended || is_queued, "over, and with nobody: {:?}", run.notes);
            steps.set(steps.get() + 1);
            effects.set(effects.get() + some.len());
            if run.phase == Phase::Over {
                break;
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        steps.get() > 60 && effects.get() > 30,
        "{} steps, {} effects: nothing was tried",
        steps.get(),
        effects.get()
    );
}

/// A step that keeps what every step must.
fn held(flows: &Flows, run: &mut Run, event: Event, looks: &Looks) -> Result<Vec<Effect>, TestCaseError> {
    let watch = Stopwatch::start();
    let effects = step(flows, run, event, looks);
    // a debug build, and a machine that others use, too
    prop_assert!(watch.elapsed().as_millis() < 3_000, "a step took {:?}", watch.elapsed());
    prop_assert!(effects.len() <= MAX_STEPS as usize + 1);
    for effect in &effects {
        if let Effect::Say(text) = effect {
            prop_assert!(text.chars().count() <= 1_600 && !text.trim().is_empty());
        }
    }
    let row = serde_json::to_string(run).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(row.len() < 64 * 1024, "a row of {} bytes", row.len());
    prop_assert!(run.phase != Phase::Going);
    prop_assert_eq!(run.due_at.is_some(), run.phase != Phase::Over, "it waits for something, or is over");
    Ok(effects)
}

#[test]
fn conditions_without_end_lead_to_an_agent() {
    let dear = "vars.n == 'x'".to_owned() + &" || vars.n == 'x'".repeat(20);
    let cases: Vec<Value> = (0..400).map(|_| json!({"when": dear, "next": "end"})).collect();
    let document = json!({"name": "x", "start": "a", "variables": {"n": ""}, "nodes": {
        "a": {"type": "branch", "branches": cases, "otherwise": "end"}, "end": {"type": "end"}}});
    let flow = check::flow(&document.to_string(), &Known::default()).unwrap();
    let flows: Flows = [("a".to_owned(), (1, Arc::new(flow)))].into();
    let mut run = Run::new("a", 1, &flows["a"].1);
    let effects = step(&flows, &mut run, Event::Began("hello".into()), &looks(0, false));
    assert!(matches!(effects[..], [Effect::Queue(_)]), "{effects:?}");
    assert_eq!(run.notes.last().map(String::as_str), Some("a/end: out_of_fuel"));
}
