//! Leases of agents whose desk is connected: renewed while it is, and left to lapse when it is gone. One fact for all of a
//! tenant's agents.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use texthub::amqp::publisher::Publisher;
use texthub::facts::envelope::{Publication, To};
use texthub::facts::heard::AgentSeen;
use texthub::facts::ids::{FactId, Slug};
use texthub::runtime::clock;

use super::Live;

/// How often.
const EVERY: Duration = Duration::from_secs(20);
/// From when it is said.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Agents in one fact: a body has at most 64 KiB.
const AGENTS: usize = 800;

/// Renews until the life is over; those who have just come, at once.
pub async fn renew(live: Arc<Live>, publisher: Publisher) {
    let mut looks = tokio::time::interval(Duration::from_millis(500));
    let mut due = tokio::time::interval(EVERY);
    loop {
        let all = tokio::select! {
            () = live.ended.cancelled() => return,
            _ = due.tick() => true,
            _ = looks.tick() => false,
        };
        for tenant in live.all() {
            let agents = if all { tenant.connected() } else { tenant.come() };
            for agents in agents.chunks(AGENTS) {
                say(&publisher, &tenant.slug, agents).await;
            }
        }
    }
}

async fn say(publisher: &Publisher, tenant: &Slug, agents: &[Slug]) {
    let now = clock::near();
    let seen = AgentSeen {
        id: FactId(clock::new_id()),
        tenant: tenant.clone(),
        agents: agents.to_vec(),
        until: now.checked_add(LEASE).unwrap_or(now),
    };
    let said = Publication { to: To::Work, ..Publication::to_the_hub(&seen, tenant.as_str()) };
    if publisher.say(&[said]).await.is_err() {
        tracing::warn!(tenant = %tenant, count = agents.len(), "leases are not renewed: the broker is away");
    }
}
