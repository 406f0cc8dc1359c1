//! Texts in a storm while sockets begin, are cut and go on, at two gateways of which one ends and is started anew, and once
//! the link to the broker is lost: at the end each desk shows what the tables hold, and saw no hole and no double.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::hub::{bears, clean};
use crate::support::browser::{Browser, Model, Socket};
use crate::support::desk::Desk;
use crate::support::stack::{Process, Stack, until};

const OURS: &str = "+15550100001";
/// Customers of each agent, and what each of them writes in the storm.
const CUSTOMERS: usize = 3;
const TEXTS: usize = 25;
const AGENTS: [&str; 2] = ["baby-bear", "red-riding-hood"];

fn customer(agent: usize, nr: usize) -> String {
    format!("+1555019{agent}{nr:03}")
}

/// Opens conversations of an agent until it has as many as it will have.
async fn opened(outside: &Desk, browser: &Browser, agent: usize) {
    let mut socket = browser.socket("", Model::default()).await;
    socket.until("it begins", |m| m.snapshots == 1).await;
    Browser::done(&browser.command("/agent/state", json!({"state": "available"})).await);
    for nr in 0..CUSTOMERS {
        outside.text(&customer(agent, nr), OURS, "first").await;
        socket.until("it rings", |m| m.offers.len() == 1).await;
        let accept = format!("/offers/{}/answer", socket.model.the_offer());
        Browser::done(&browser.command(&accept, json!({"answer": "accept"})).await);
        socket.until("it is theirs", |m| m.contacts.len() == nr + 1 && m.offers.is_empty()).await;
    }
    Browser::done(&browser.command("/agent/state", json!({"state": "unavailable"})).await);
}

/// A desk whose line is cut again and again, until told to stop; then until it shows all.
async fn cut_and_resume(browsers: Vec<Browser>, stop: CancellationToken, all: usize) -> Socket {
    let mut model = Model::default();
    let mut random = fastrand::Rng::new();
    let (mut looks, mut since) = (tokio::time::interval(Duration::from_millis(20)), Instant::now());
    loop {
        // while the gateway is just not there it is asked again, and not for ever
        let browser = &browsers[random.usize(..browsers.len())];
        let Some(mut socket) = browser.try_socket("", model.clone()).await else {
            assert!(since.elapsed() < Duration::from_mins(1), "no gateway takes the desk back");
            looks.tick().await;
            continue;
        };
        since = Instant::now();
        if stop.is_cancelled() {
            let shows = |m: &Model| m.contacts.keys().map(|contact| m.texts(contact).len()).sum::<usize>() >= all;
            socket.until("it shows all", shows).await;
            socket.drain(Duration::from_millis(300)).await;
            return socket;
        }
        for _ in 0..random.usize(1..12) {
            let next = tokio::time::timeout(Duration::from_millis(200), socket.next()).await;
            if matches!(next, Ok(Err(_))) {
                break;
            }
        }
        model = socket.cut();
    }
}

/// What the tables hold of an agent's contacts: texts by contact, and the newest state of each.
async fn tables(stack: &Stack, agent: &str) -> BTreeMap<String, Vec<String>> {
    let client = stack.database.pool.get().await.unwrap();
    let rows = client
        .query(
            "select c.id::text, array_agg(e.text order by e.seq) from contacts c join entries e on e.room_id = c.room_id
             where c.agent = $1 and c.state = 'active' group by c.id",
            &[&agent],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn storm(outside: &Desk) {
    for nr in 0..TEXTS {
        for agent in 0..AGENTS.len() {
            for who in 0..CUSTOMERS {
                outside.text(&customer(agent, who), OURS, &format!("text {nr}")).await;
            }
        }
    }
}

async fn compare(stack: &Stack, outside: &Desk, gateways: &[&Process], meanwhile: impl AsyncFnOnce()) {
    let mut desks = Vec::new();
    let stop = CancellationToken::new();
    for (nr, agent) in AGENTS.iter().enumerate() {
        let browser = Browser::new(stack, gateways[0], "three-bears", Some(agent), &["work"]).await;
        opened(outside, &browser, nr).await;
        let all: Vec<Browser> = gateways.iter().map(|gateway| browser.at(gateway)).collect();
        for _ in 0..3 {
            let desk = cut_and_resume(all.clone(), stop.clone(), CUSTOMERS * (TEXTS + 1));
            desks.push((*agent, tokio::spawn(desk)));
        }
        // one that stays where it is, and one that begins in the storm
        let calm = cut_and_resume(vec![browser.clone()], stop.clone(), CUSTOMERS * (TEXTS + 1));
        desks.push((*agent, tokio::spawn(calm)));
    }
    tokio::join!(storm(outside), meanwhile());
    until("all is written", async || {
        let mut all = 0;
        for agent in AGENTS {
            all += tables(stack, agent).await.values().map(Vec::len).sum::<usize>();
        }
        all == AGENTS.len() * CUSTOMERS * (TEXTS + 1)
    })
    .await;
    stop.cancel();
    let (mut resumed, mut snapshots) = (0, 0);
    for (agent, desk) in desks {
        let socket = desk.await.unwrap();
        let shown: BTreeMap<String, Vec<String>> =
            socket.model.contacts.keys().map(|contact| (contact.clone(), socket.model.texts(contact))).collect();
        assert_eq!(shown, tables(stack, agent).await, "{agent}");
        assert!(socket.model.faults.is_empty(), "{agent}: {:?}", socket.model.faults);
        resumed += socket.model.resumed;
        snapshots += socket.model.snapshots;
    }
    assert!(resumed > 10 && snapshots > 10, "{resumed} resumed, {snapshots} snapshots");
}

#[tokio::test(flavor = "multi_thread")]
async fn desks_that_are_cut_and_resume_in_a_storm_show_what_the_tables_hold() {
    let (stack, hub) = bears().await;
    let other = stack.start(&["gateway"]).await;
    let outside = stack.desk("three-bears").await;
    compare(&stack, &outside, &[&hub, &other], async || {}).await;
    clean(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_moves_its_desks_and_a_lost_link_begins_them_anew() {
    let (stack, hub) = bears().await;
    let other = stack.start(&["gateway"]).await;
    let outside = stack.desk("three-bears").await;
    let baby = Browser::new(&stack, &hub, "three-bears", Some("baby-bear"), &["work"]).await;
    let mut there = baby.at(&other).socket("", Model::default()).await;
    there.until("it begins", |m| m.snapshots == 1).await;
    let mut here = baby.socket("", Model::default()).await;
    here.until("it begins", |m| m.snapshots == 1).await;
    compare(&stack, &outside, &[&hub, &other], async || {
        stack.cut_links("texthub gateway").await;
        there.until("it begins anew", |m| m.snapshots == 2).await;
        other.terminate();
    })
    .await;
    let mut code = Ok(());
    while code.is_ok() {
        code = there.next().await;
    }
    assert_eq!((code, there.count("move")), (Err(1001), 1));
    assert_eq!(here.model.snapshots, 1, "the other gateway's desks stay");
    clean(&stack).await;
}
