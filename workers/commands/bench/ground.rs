//! The ground a benchmark stands on: a tenant of its own with one number and enough agents, and the roles, where
//! nobody runs them.

use deadpool_postgres::Pool;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use texthub::amqp::connection::Link;
use texthub::amqp::topology;
use texthub::config::Config;
use texthub::runtime::supervisor::{Process, Readiness};
use texthub::runtime::{clock, db};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A tenant for one measurement.
pub struct Ground {
    /// Its slug.
    pub tenant: String,
    /// Its number.
    pub number: String,
    /// To which exchange its carrier's adapter publishes.
    pub door: &'static str,
}

impl Ground {
    /// Makes the tenant with so many available agents of limit 12.
    pub async fn prepare(pool: &Pool, agents: usize, partitions: u32) -> anyhow::Result<Self> {
        let id = clock::new_id();
        let tenant = format!("bench-{}", id.simple());
        // 15 digits of the id: nobody's number
        let number = format!("+999{:012}", id.as_u128() % 1_000_000_000_000);
        let client = pool.get().await?;
        client
            .batch_execute(&format!(
                "begin;
                 insert into tenants values ('{tenant}', 'benchmark', true, 'UTC', '', '', '');
                 insert into skills (tenant, id, channel, offer_timeout_s, max_wait_s) values ('{tenant}', 'sms', 'sms', 600, 86400);
                 insert into teams values ('{tenant}', 'bench', 12);
                 insert into agents (tenant, id, team, slot_limit, state)
                   select '{tenant}', 'agent-' || n, 'bench', 12, 'available' from generate_series(1, {agents}) n;
                 insert into agent_skills select '{tenant}', 'agent-' || n, 'sms', 1 from generate_series(1, {agents}) n;
                 insert into ready_agents (tenant, skill, agent, proficiency, idle_since)
                   select tenant, 'sms', id, 1, idle_since from agents where tenant = '{tenant}';
                 insert into carriers values ('{tenant}', '{tenant}', 'simulator', null);
                 insert into points_of_contact values ('{tenant}', 'main', 'sms', '{number}', 'long', 'US', '{tenant}', 'sms', 7200);
                 commit;
                 analyze agents, agent_skills, ready_agents;"
            ))
            .await?;
        Ok(Self { tenant, number, door: topology::inbound(partitions) })
    }

    /// Removes the tenant and all that it left.
    pub async fn end(&self, pool: &Pool) -> anyhow::Result<()> {
        let client = pool.get().await?;
        let tenant = &self.tenant;
        client
            .batch_execute(&format!(
                "set statement_timeout = 0; begin;
                 delete from sessions where tenant = '{tenant}'; delete from offers where tenant = '{tenant}';
                 delete from contacts where tenant = '{tenant}';
                 delete from entries e using rooms r where r.id = e.room_id and r.tenant = '{tenant}';
                 delete from rooms where tenant = '{tenant}'; delete from heard where tenant = '{tenant}';
                 delete from inbound_ids where carrier = '{tenant}';
                 delete from points_of_contact where tenant = '{tenant}'; delete from carriers where tenant = '{tenant}';
                 delete from ready_agents where tenant = '{tenant}'; delete from agent_skills where tenant = '{tenant}';
                 delete from agents where tenant = '{tenant}'; delete from teams where tenant = '{tenant}';
                 delete from skills where tenant = '{tenant}'; delete from tenants where id = '{tenant}';
                 commit; reset statement_timeout;"
            ))
            .await?;
        client.batch_execute("vacuum analyze rooms, entries, contacts, offers, heard, agents, ready_agents").await?;
        Ok(())
    }
}

/// Roles that this process started.
pub struct Started {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Started {
    /// Ends them in order.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

/// Starts all roles in this process unless somebody consumes already.
pub async fn ensure_roles(config: &Config, link: &Link) -> anyhow::Result<Option<Started>> {
    let channel = link.consuming().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("receive_sms.0".into(), options, FieldTable::default()).await;
    if queue.is_ok_and(|queue| queue.consumer_count() > 0) {
        return Ok(None);
    }
    let pool =
        db::pool(config.database(), "texthub bench roles", config.database_pool).map_err(|e| anyhow::anyhow!("{e}"))?;
    let roles = crate::roles(config);
    let (stop, readiness) = (CancellationToken::new(), Readiness::default());
    let process = Process {
        amqp_url: config.amqp().to_owned(),
        name: "texthub bench roles".into(),
        partitions: config.partitions,
        pool,
        listeners: roles.iter().filter_map(|role| role.listener).collect::<Vec<topology::Listener>>(),
        roles,
        readiness: readiness.clone(),
    };
    let stopping = stop.clone();
    let task = tokio::spawn(async move { process.run(&stopping).await });
    for _ in 0..200 {
        if readiness.is_ready() {
            return Ok(Some(Started { stop, task }));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("the roles did not become ready in 20 s")
}
