//! `texthub end`: an operator ends one contact, or all of an agent, a skill or a tenant, contact by contact. The room is
//! closed by the same worker as any other, so its transcript is whole.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use deadpool_postgres::Pool;
use serde_json::json;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::amqp::topology;
use texthub::amqp::wire::Wire;
use texthub::config::Config;
use texthub::runtime::clock::{self, Stopwatch};
use uuid::Uuid;

/// How long the hub may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to end, and why.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Exactly this one.
    #[arg(long, required_unless_present = "all_of", conflicts_with = "all_of")]
    contact: Option<Uuid>,
    /// Every live contact of an agent, a skill or a tenant: its slug, or agent:SLUG, skill:SLUG, tenant:SLUG.
    #[arg(long)]
    all_of: Option<String>,
    /// Why; it is kept with the contact.
    #[arg(long)]
    reason: String,
    /// The tenant of --all-of; needed where there are several.
    #[arg(long)]
    tenant: Option<String>,
    /// Who ends it.
    #[arg(long)]
    by: Option<String>,
    /// Do not ask before ending several.
    #[arg(long)]
    yes: bool,
}

/// A contact that is to end.
struct Live {
    id: Uuid,
    tenant: String,
    state: String,
    agent: Option<String>,
}

/// Ends them.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let live = match (asked.contact, &asked.all_of) {
        (Some(contact), _) => vec![one(&pool, contact).await?],
        (None, Some(whose)) => {
            let live = all_of(&pool, asked, whose).await?;
            if live.is_empty() {
                println!("{whose} has no live contact");
                return Ok(());
            }
            confirm(asked, whose, &live)?;
            live
        }
        (None, None) => anyhow::bail!("say --contact or --all-of"),
    };
    let by = asked.by.clone().or_else(|| Config::given("USER")).unwrap_or_else(|| "operator".into());
    let link = Link::connect(config.amqp(), "texthub end").await?;
    let publisher = Publisher::open(&link).await?;
    let mut failed = 0;
    for contact in &live {
        match end(&pool, &publisher, contact, &asked.reason, &by).await {
            Ok(()) => println!("ended contact {}", contact.id),
            Err(error) => {
                failed += 1;
                eprintln!("contact {}: {error:#}", contact.id);
            }
        }
    }
    link.close().await;
    anyhow::ensure!(failed == 0, "{failed} of {} did not end", live.len());
    Ok(())
}

const LIVE: &str = "state in ('prequeue', 'queued', 'offered', 'active', 'parked')";

async fn one(pool: &Pool, contact: Uuid) -> anyhow::Result<Live> {
    let client = pool.get().await?;
    let row = client.query_opt("select id, tenant, state, agent from contacts where id = $1", &[&contact]).await?;
    let Some(row) = row else { anyhow::bail!("there is no contact {contact}") };
    let live = Live { id: row.get(0), tenant: row.get(1), state: row.get(2), agent: row.get(3) };
    let is_over = ["closed", "wrap_up"].contains(&live.state.as_str());
    anyhow::ensure!(!is_over, "contact {contact} has ended already; it is {}", live.state);
    Ok(live)
}

/// Live contacts of an agent, a skill or a tenant.
async fn all_of(pool: &Pool, asked: &Asked, whose: &str) -> anyhow::Result<Vec<Live>> {
    let (kind, name) = whose.split_once(':').unwrap_or(("", whose));
    let client = pool.get().await?;
    let known = client
        .query(
            "select 'agent', tenant from agents where id = $1 union all select 'skill', tenant from skills where id = $1
             union all select 'tenant', id from tenants where id = $1",
            &[&name],
        )
        .await?;
    let fits = |row: &&tokio_postgres::Row| {
        (kind.is_empty() || row.get::<_, &str>(0) == kind)
            && asked.tenant.as_ref().is_none_or(|tenant| row.get::<_, &str>(1) == tenant)
    };
    let fitting: Vec<_> = known.iter().filter(fits).collect();
    let (kind, tenant): (&str, &str) = match fitting.as_slice() {
        [] => anyhow::bail!("there is no agent, skill or tenant {name}"),
        [row] => (row.get(0), row.get(1)),
        _ => anyhow::bail!("{name} names several; say agent:{name}, skill:{name} or tenant:{name}, and --tenant"),
    };
    let column = match kind {
        "agent" => "agent",
        "skill" => "skill",
        _ => "tenant",
    };
    let statement = format!(
        "select id, tenant, state, agent from contacts where tenant = $1 and {column} = $2 and {LIVE} order by queued_at, id"
    );
    let rows = client.query(&statement, &[&tenant, &name]).await?;
    Ok(rows
        .iter()
        .map(|row| Live { id: row.get(0), tenant: row.get(1), state: row.get(2), agent: row.get(3) })
        .collect())
}

fn confirm(asked: &Asked, whose: &str, live: &[Live]) -> anyhow::Result<()> {
    for contact in live {
        println!("{}  {:<8}  {}", contact.id, contact.state, contact.agent.as_deref().unwrap_or("-"));
    }
    if asked.yes {
        return Ok(());
    }
    print!("end these {} contacts of {whose}? [y/N] ", live.len());
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    anyhow::ensure!(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()), "nothing was ended");
    Ok(())
}

/// Says `contact.ended`, and awaits what becomes of it.
async fn end(pool: &Pool, publisher: &Publisher, contact: &Live, reason: &str, by: &str) -> anyhow::Result<()> {
    let id = clock::new_id();
    let by = json!({"kind": "supervisor", "name": by});
    let body = json!({"id": id, "tenant": contact.tenant, "contact_id": contact.id, "by": by, "reason": reason});
    let properties = lapin::BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_message_id(id.to_string().into())
        .with_type("contact.ended.v1".into());
    let key = format!("contact.ended.{}", contact.tenant);
    publisher
        .send(vec![Wire { exchange: topology::FRONT, key, body: body.to_string().into_bytes(), properties }])
        .await?;
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        let client = pool.get().await?;
        let over = "select from contacts where id = $1 and state in ('wrap_up', 'closed')";
        if client.query_opt(over, &[&contact.id]).await?.is_some() {
            return Ok(());
        }
        let refused = client.query_opt("select reason, sentence from refusals where refused_id = $1", &[&id]).await?;
        if let Some(row) = refused {
            anyhow::bail!("{}: {}", row.get::<_, String>(0), row.get::<_, String>(1));
        }
        let dead = "select reason, coalesce(detail, '') from dead_letters where message_id = $1";
        if let Some(row) = client.query_opt(dead, &[&id.to_string()]).await? {
            anyhow::bail!("set aside, {}: {}", row.get::<_, String>(0), row.get::<_, String>(1));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("it was asked for, and {PATIENCE:?} later it still lives; does the worker wrap_up run?")
}
