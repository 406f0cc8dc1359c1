use super::*;
use serde_json::json;

fn of(document: &Value) -> Vec<(String, String)> {
    with(document, &Known::default())
}

fn with(document: &Value, known: &Known) -> Vec<(String, String)> {
    let mistakes = flow(&document.to_string(), known).err().unwrap_or_default();
    mistakes.into_iter().map(|m| (m.place, m.what)).collect()
}

fn places(document: &Value) -> Vec<String> {
    of(document).into_iter().map(|mistake| mistake.0).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_examples_are_right() {
    for text in [
        include_str!("../../../examples/flows/simple-skill.json"),
        include_str!("../../../examples/flows/language-menu.json"),
        include_str!("../../../examples/flows/vip-overflow.json"),
    ] {
        let flow = flow(text, &Known::default()).unwrap();
        assert!(!flow.document.nodes.is_empty());
        let again: Document = serde_json::from_value(serde_json::to_value(&flow.document).unwrap()).unwrap();
        assert_eq!(again, flow.document, "what is stored is what was written");
    }
}

#[test]
fn every_mistake_of_form_is_told_at_once_with_its_place() {
    let document = json!({"name": "x", "start": "a", "nodes": {
        "a": {"type": "send", "text": "hi", "nxt": "b"},
        "b": {"type": "sendd", "text": "hi", "next": "a"},
        "c": {"type": "ask", "text": "?", "timeout_s": 60, "branches": [], "otherwise": "a"},
        "d": {"type": "wait", "seconds": -1, "next": "a"},
    }});
    assert_eq!(places(&document), ["/nodes/a", "/nodes/b", "/nodes/c", "/nodes/d"]);
    assert!(of(&document)[2].1.contains("timed_out"), "the missing exit is named: {:?}", of(&document)[2]);
    assert_eq!(places(&json!([])), [""]);
    assert_eq!(places(&json!({"name": "x", "start": "a", "nodes": {}, "extra": 1})), ["", "/nodes"]);
    assert!(flow("{", &Known::default()).unwrap_err()[0].what.contains("no JSON"));
}

#[test]
fn unknown_names_of_every_kind_are_told_together() {
    let document = json!({"name": "x", "start": "first", "variables": {"size": 1}, "calendars": {"office": {"hours": {"mo": []}}},
      "nodes": {
        "frist": {"type": "hours", "calendar": "ofice", "open": "agent", "closed": "nowhere"},
        "agent": {"type": "request_agent", "skill": "sma", "prefer": "pappa", "waited": [{"seconds": 9, "next": "over"}]},
        "over": {"type": "transfer_flow", "flow": "othr"},
        "set": {"type": "set", "set": {"sizze": "1", "size": "vars.sise + contct.x"}, "next": "case"},
        "case": {"type": "branch", "branches": [{"when": "hours.offic", "next": "say"},
                  {"when": "queue['smss'].length > 1 && contact.numbr == ''", "next": "say"}], "otherwise": "set"},
        "say": {"type": "send", "text": "Hi {{ vars.nam }}", "next": "case"},
    }});
    let known = Known { skills: Some(set(&["sms"])), agents: Some(set(&["papa"])), flows: Some(set(&["other"])) };
    let found: Vec<String> = with(&document, &known).into_iter().map(|m| format!("{}: {}", m.0, m.1)).collect();
    for expected in [
        "/start: there is no node \"first\"",
        "/calendars/office/hours/mo: \"mo\" is no day",
        "/nodes/frist/calendar: there is no calendar \"ofice\"",
        "/nodes/frist/closed: there is no node \"nowhere\"",
        "/nodes/agent/skill: there is no skill \"sma\"",
        "/nodes/agent/prefer: there is no agent \"pappa\"",
        "/nodes/over/flow: there is no flow \"othr\"",
        "/nodes/set/set/sizze: there is no variable \"sizze\"",
        "/nodes/set/set/size: there is no variable \"sise\"",
        "/nodes/set/set/size: there is no value \"contct\"",
        "/nodes/case/branches/0/when: there is no calendar \"offic\"",
        "/nodes/case/branches/1/when: there is no skill \"smss\"",
        "/nodes/case/branches/1/when: there is no field of contact \"numbr\"",
        "/nodes/say/text: there is no variable \"nam\"",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected} in {found:#?}");
    }
}

#[test]
fn what_is_never_reached_and_what_goes_round_without_waiting_is_told() {
    let document = json!({"name": "x", "start": "a", "variables": {"n": 0}, "nodes": {
        "a": {"type": "set", "set": {"n": "vars.n + 1"}, "next": "b"},
        "b": {"type": "branch", "branches": [{"when": "vars.n > 9", "next": "end"}], "otherwise": "c"},
        "c": {"type": "send", "text": "x", "next": "a"},
        "end": {"type": "end"},
        "island": {"type": "wait", "seconds": 5, "next": "island"},
    }});
    let found = of(&document);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], ("/nodes/a".into(), "it goes round without waiting: a → b → c".into()));
    assert_eq!(found[1].0, "/nodes/island");
    let mut waiting = document;
    waiting["nodes"]["c"] = json!({"type": "wait", "seconds": 5, "next": "a"});
    waiting["nodes"].as_object_mut().unwrap().remove("island");
    assert_eq!(of(&waiting), []);
}

#[test]
fn a_circle_through_requests_counts_where_nothing_waits_in_it() {
    let document = |next: &str| {
        json!({"name": "x", "start": "a", "nodes": {
            "a": {"type": "request_agent", "skill": "sms", "nobody_logged_in": "b", "waited": [{"seconds": 5, "next": "c"}]},
            "b": {"type": "webhook", "url": "https://example.com/", "next": next, "failed": "end"},
            "c": {"type": "send", "text": "x", "next": "a"},
            "end": {"type": "end"}}})
    };
    assert_eq!(places(&document("a")), ["/nodes/a"], "a → b → a");
    assert_eq!(places(&document("end")), [""; 0], "a → c → a has waited");
}

#[test]
fn conditions_texts_ranges_and_addresses_are_looked_at() {
    let document = json!({"name": "x", "start": "a", "variables": {"1x": 1}, "nodes": {
        "a": {"type": "ask", "text": "{{ open", "timeout_s": 1, "retries": 9, "branches": [{"next": "b"},
              {"when": "[1].map(x, x)", "next": "b"}], "otherwise": "b", "timed_out": "b"},
        "b": {"type": "webhook", "url": "ftp://x", "body": {"n": "1 +"}, "timeout_ms": 60_000, "next": "c", "failed": "c"},
        "c": {"type": "request_agent", "skill": "sms", "priority": 5000, "proficiency": {"best": 4, "worst": 2}, "hold_s": 5,
              "waited": [{"seconds": 60, "next": "b"}, {"seconds": 60, "next": "b"}]}}});
    assert_eq!(
        places(&document),
        [
            "/nodes/a/branches/0",
            "/nodes/a/branches/1/when",
            "/nodes/a/retries",
            "/nodes/a/text",
            "/nodes/a/timeout_s",
            "/nodes/b/body/n",
            "/nodes/b/timeout_ms",
            "/nodes/b/url",
            "/nodes/c/hold_s",
            "/nodes/c/priority",
            "/nodes/c/proficiency/worst",
            "/nodes/c/waited/1/seconds",
            "/variables/1x",
        ]
    );
}

#[test]
fn nobody_is_asked_while_queued() {
    let document = json!({"name": "x", "start": "a", "nodes": {
        "a": {"type": "request_agent", "skill": "sms", "waited": [{"seconds": 5, "next": "b"}]},
        "b": {"type": "send", "text": "x", "next": "c"},
        "c": {"type": "ask", "text": "?", "timeout_s": 60, "otherwise": "a", "timed_out": "a"}}});
    assert_eq!(places(&document), ["/nodes/c"]);
}

#[test]
fn variables_have_room_together_and_a_programs_names_are_plain() {
    let variables = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|nth| (format!("v{nth}"), json!("x".repeat(3_998)))).collect()
    };
    let document = |count: usize, name: &str| {
        json!({"name": "x", "start": "a", "variables": variables(count), "nodes": {
            "a": {"type": "webhook", "url": "https://example.com/", "body": {name: "1"}, "next": "end", "failed": "end"},
            "end": {"type": "end"}}})
    };
    assert_eq!(places(&document(4, "who")), [""; 0]);
    assert_eq!(places(&document(5, "who")), ["/variables"]);
    assert_eq!(places(&document(4, "a/b")), ["/nodes/a/body/a~1b"]);
    assert_eq!(places(&document(4, "")), ["/nodes/a/body/"]);
}

#[test]
fn a_document_too_large_is_not_even_read() {
    assert!(flow(&" ".repeat(300_000), &Known::default()).is_err());
    let nodes: Map<String, Value> = (0..501).map(|n| (format!("n{n}"), json!({"type": "end"}))).collect();
    assert_eq!(places(&json!({"name": "x", "start": "n0", "nodes": nodes})), ["/nodes"]);
    let deep = "[".repeat(100_000);
    assert!(flow(&deep, &Known::default()).is_err());
}
