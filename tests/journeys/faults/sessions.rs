//! Many live sessions at once: their rows as the hub writes them and their timers as it arms them; then texts and
//! replies, by the real queues, that reset their deadlines at random, until each falls silent.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;
use std::time::Duration;

use super::{BEARS, EXAMPLE};
use crate::support::fixtures::slug;
use crate::support::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::facts::envelope::{Publication, To, conversation};
use texthub::facts::ids::FactId;
use texthub::hub::session::{Session, arm};
use texthub::runtime::clock;

const OURS: &str = "+15550100001";
/// Contacts of an agent.
const EACH: usize = 12;

/// A session of the test.
pub struct Live {
    /// Its customer.
    customer: String,
    /// Its agent.
    agent: String,
    /// Its room.
    room: String,
}

/// The example with agents enough to hold `count` contacts, and sessions of so many seconds.
pub fn tenant(count: usize, timeout_s: i32) -> String {
    let skill = "skill = \"porridge-orders\"";
    let mut text = EXAMPLE.replacen(skill, &format!("{skill}\nsession_timeout_s = {timeout_s}"), 1);
    for nth in 0..count.div_ceil(EACH) {
        let rest = "team = \"the-bears\"\nsession_limit = 12\nskills = { porridge-orders = 1 }";
        write!(text, "\n[[agents]]\nid = \"hand-{nth}\"\n{rest}\n").unwrap();
    }
    text
}

/// Writes the rows of `count` sessions, of which the first ends after a few seconds and the last after the timeout, and
/// arms their timers.
pub async fn begin(stack: &Stack, count: usize, timeout_s: i32) -> Vec<(Live, Timestamp)> {
    let mut client = stack.database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let many = i32::try_from(count).unwrap();
    let each = i32::try_from(EACH).unwrap();
    tx.execute(
        "create temporary table planned on commit drop as
         select n, gen_random_uuid() as room, gen_random_uuid() as contact, gen_random_uuid() as cause,
                'hand-' || (n / $2::int) as agent, '+1555' || (2000000 + n) as customer,
                now() + make_interval(secs => 5 + $3::int * n / $1::int) as deadline
         from generate_series(0, $1::int - 1) n",
        &[&many, &each, &timeout_s],
    )
    .await
    .unwrap();
    tx.batch_execute(ROWS).await.unwrap();
    let sql = "insert into sessions (id, tenant, room_id, contact_id, agent, started_at, timeout_s, deadline_at, timer_due_at)
               select gen_random_uuid(), 'three-bears', room, contact, agent, now(), $1, deadline, deadline from planned";
    tx.execute(sql, &[&timeout_s]).await.unwrap();
    tx.commit().await.unwrap();
    drop(client);
    armed(stack, timeout_s).await
}

/// A text, an accepted contact, a slot in use.
const ROWS: &str = "
    insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, next_seq, agent,
                       agents, caused_by)
    select room, 'three-bears', 'sms', '+15550100001', customer, 'orders', now(), 2, agent, array[agent], cause from planned;
    insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, agent, accepted_at,
                          caused_by)
    select contact, 'three-bears', room, 'sms', 'porridge-orders', 'active', 0, now(), now(), agent, now(), cause from planned;
    insert into entries (room_id, seq, id, contact_id, direction, author, text, parts, at, written_at, caused_by)
    select room, 1, gen_random_uuid(), contact, 'inbound', 'customer', 'hello', 1, now(), now(), cause from planned;
    insert into offers (id, tenant, contact_id, room_id, agent, state, made_at, lapses_at, settled_at, caused_by, ordinal)
    select gen_random_uuid(), 'three-bears', contact, room, agent, 'accepted', now(), now(), now(), cause, 0 from planned;
    update agents a set state = 'available', slots_used = p.used, sms_used = p.used, moved_at = now()
    from (select agent, count(*) as used from planned group by agent) p where a.tenant = 'three-bears' and a.id = p.agent;";

async fn armed(stack: &Stack, timeout_s: i32) -> Vec<(Live, Timestamp)> {
    let sql = "select s.id, s.room_id, s.contact_id, s.agent, s.deadline_at, r.customer_number
               from sessions s join rooms r on r.id = s.room_id";
    let rows = stack.database.pool.get().await.unwrap().query(sql, &[]).await.unwrap();
    let mut timers = Vec::with_capacity(rows.len());
    let mut live = Vec::with_capacity(rows.len());
    for row in &rows {
        let session = Session {
            id: row.get(0),
            tenant: slug(BEARS),
            room_id: row.get(1),
            contact_id: row.get(2),
            agent: row.get(3),
            timeout_s,
            deadline_at: row.get(4),
            timer_gen: 1,
            timer_due_at: row.get(4),
        };
        timers.push(arm(clock::wall(), &session));
        let room = session.room_id.0.to_string();
        live.push((Live { customer: row.get(5), agent: session.agent.to_string(), room }, session.deadline_at));
    }
    for timers in timers.chunks(1_000) {
        stack.publisher().await.say(timers).await.unwrap();
    }
    live
}

/// Resets deadlines for `span`: each session is written to at random moments, well before its deadline, from either side,
/// and two of five times falls silent. Says how many resets there were.
pub async fn reset(stack: &Stack, live: Vec<(Live, Timestamp)>, timeout_s: i32, span: Duration) -> usize {
    let end = clock::wall().checked_add(SignedDuration::try_from(span).unwrap()).unwrap();
    // the last timeout is for silence
    let last = end.checked_sub(SignedDuration::from_secs(i64::from(timeout_s))).unwrap();
    let mut next: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
    let plan = |deadline: Timestamp| {
        let now = clock::wall();
        // five seconds are for the way through the queues
        let room = deadline.duration_since(now).as_millis() - 5_000;
        let at = now.checked_add(SignedDuration::from_millis(fastrand::i64(0..=i64::try_from(room.max(0)).unwrap())));
        Some(at.unwrap()).filter(|at| room > 0 && *at < last && fastrand::u8(0..5) > 1)
    };
    for (nth, (_, deadline)) in live.iter().enumerate() {
        next.extend(plan(*deadline).map(|at| Reverse((at, nth))));
    }
    let mut speaker = Speaker::new(stack);
    let mut resets = 0;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while !next.is_empty() {
        ticks.tick().await;
        let mut facts = Vec::new();
        let mut again = Vec::new();
        while let Some(Reverse((at, nth))) = next.peek().copied()
            && at <= clock::wall()
        {
            next.pop();
            facts.push(written(&live[nth].0));
            again.push(nth);
        }
        resets += facts.len();
        speaker.say(&facts).await;
        let deadline = clock::wall().checked_add(SignedDuration::from_secs(i64::from(timeout_s))).unwrap();
        next.extend(again.into_iter().filter_map(|nth| plan(deadline).map(|at| Reverse((at, nth)))));
    }
    resets
}

/// A text of the customer, or a reply of the agent.
fn written(live: &Live) -> Publication {
    let (id, now) = (clock::new_id(), clock::wall().to_string());
    let (fact, scope, body) = if fastrand::bool() {
        let body = json!({"id": id, "carrier": "sim", "carrier_sms_id": id, "from": live.customer, "to": OURS,
            "text": "Still there?", "received_at": now});
        ("sms.received", conversation(OURS, "", &live.customer), body)
    } else {
        let body = json!({"id": id, "tenant": BEARS, "agent": live.agent, "room_id": live.room, "text": "Still here.",
            "written_at": now});
        ("reply.written", BEARS.to_owned(), body)
    };
    let (id, body) = (FactId(id), body.to_string().into_bytes());
    Publication { id, fact: fact.into(), scope, body, to: To::Announce, due: None, cause: id, traceparent: None }
}

/// Publishes, and publishes again where the broker was away: the same facts under the same ids.
struct Speaker<'a> {
    stack: &'a Stack,
    publisher: Option<Publisher>,
}

impl<'a> Speaker<'a> {
    fn new(stack: &'a Stack) -> Self {
        Self { stack, publisher: None }
    }

    async fn say(&mut self, facts: &[Publication]) {
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        while !facts.is_empty() {
            if self.publisher.is_none()
                && let Ok(link) = Link::connect(&self.stack.amqp_url, "texthub test").await
            {
                self.publisher = Publisher::open(&link).await.ok();
            }
            if let Some(publisher) = &self.publisher
                && publisher.tell(facts).await.is_ok()
            {
                return;
            }
            self.publisher = None;
            ticks.tick().await;
        }
    }
}
