//! `texthub end`: an operator ends one contact, or all of an agent, a skill or a tenant, contact by contact. The room is
//! closed by the same worker as any other, so its transcript is whole.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use deadpool_postgres::Pool;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::config::Config;
use texthub::facts::heard::{By, ByKind};
use texthub::facts::ids::{ContactId, FactId, Slug};
use texthub::records::ending::{self, Became, Found, Of};
use texthub::runtime::clock::{self, Stopwatch};

/// How long the hub may take without ending any.
const PATIENCE: Duration = Duration::from_secs(30);
/// Asked for in one go.
const GO: usize = 100;

/// What to end, and why.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Exactly this one.
    #[arg(long, required_unless_present = "all_of", conflicts_with = "all_of")]
    contact: Option<ContactId>,
    /// Every live contact of an agent (active or parked), a skill or a tenant: its slug, or agent:SLUG, skill:SLUG,
    /// tenant:SLUG; `tenant` alone is the one of --tenant.
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

/// Ends them.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool(&config)?;
    let found = match (asked.contact, &asked.all_of) {
        (Some(contact), _) => vec![one(&pool, asked, contact).await?],
        (None, Some(whose)) => {
            let (tenant, of) = whose_contacts(&pool, asked, whose).await?;
            let found = reading(&pool, async |tx| ending::living(tx, &tenant, &of).await).await?;
            if found.is_empty() {
                println!("{whose} has no live contact");
                return Ok(());
            }
            confirm(asked, whose, &found)?;
            found
        }
        (None, None) => anyhow::bail!("say --contact or --all-of"),
    };
    let link = Link::connect(config.amqp(), "texthub end").await?;
    let publisher = Publisher::open(&link).await?;
    let mut failed = 0;
    for some in found.chunks(GO) {
        failed += end(&pool, &publisher, asked, some).await?;
    }
    link.close().await;
    anyhow::ensure!(failed == 0, "{failed} of {} did not end", found.len());
    Ok(())
}

async fn reading<T>(
    pool: &Pool,
    read: impl AsyncFnOnce(&deadpool_postgres::Transaction<'_>) -> Result<T, texthub::failure::Failure>,
) -> anyhow::Result<T> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    read(&tx).await.map_err(|failure| anyhow::anyhow!("{failure}"))
}

async fn one(pool: &Pool, asked: &Asked, contact: ContactId) -> anyhow::Result<Found> {
    let found = reading(pool, async |tx| ending::one(tx, contact).await).await?;
    let found = found.filter(|found| asked.tenant.as_ref().is_none_or(|tenant| found.tenant.as_str() == tenant));
    let Some(found) = found else { anyhow::bail!("there is no contact {contact}") };
    anyhow::ensure!(!found.is_over(), "contact {contact} has ended already; it is {}", found.state);
    Ok(found)
}

/// The tenant and what is meant within it.
async fn whose_contacts(pool: &Pool, asked: &Asked, whose: &str) -> anyhow::Result<(Slug, Of)> {
    if whose == "tenant" {
        return Ok((super::transcripts::tenant(pool, asked.tenant.as_deref()).await?, Of::Tenant));
    }
    let (kind, name) = whose.split_once(':').unwrap_or(("", whose));
    let rows = pool
        .get()
        .await?
        .query(
            "select 'agent', tenant from agents where id = $1 union all select 'skill', tenant from skills where id = $1
             union all select 'tenant', id from tenants where id = $1",
            &[&name],
        )
        .await?;
    let known: Vec<(String, Slug)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let fits = |known: &&(String, Slug)| {
        (kind.is_empty() || known.0 == kind) && asked.tenant.as_ref().is_none_or(|tenant| known.1.as_str() == tenant)
    };
    let fitting: Vec<&(String, Slug)> = known.iter().filter(fits).collect();
    let [(kind, tenant)] = fitting.as_slice() else {
        anyhow::ensure!(!fitting.is_empty(), "there is no agent, skill or tenant {whose}");
        anyhow::bail!("{name} names several; say agent:{name}, skill:{name} or tenant:{name}, and --tenant");
    };
    let of = match kind.as_str() {
        "agent" => Of::Agent(name.parse()?),
        "skill" => Of::Skill(name.parse()?),
        _ => Of::Tenant,
    };
    Ok((tenant.clone(), of))
}

fn confirm(asked: &Asked, whose: &str, found: &[Found]) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["CONTACT", "STATE", "SKILL", "AGENT", "SINCE"]);
    for contact in found {
        let agent = contact.agent.as_ref().map_or("-", Slug::as_str);
        table.add_row([
            contact.id.to_string(),
            contact.state.clone(),
            contact.skill.to_string(),
            agent.to_owned(),
            contact.queued_at.to_string(),
        ]);
    }
    println!("{table}");
    if asked.yes {
        return Ok(());
    }
    print!("end these {} contacts of {whose}? [y/N] ", found.len());
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    anyhow::ensure!(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()), "nothing was ended");
    Ok(())
}

/// Says `contact.ended` for each, and awaits what becomes of them; how many did not end.
async fn end(pool: &Pool, publisher: &Publisher, asked: &Asked, found: &[Found]) -> anyhow::Result<usize> {
    let name = asked.by.clone().or_else(|| Config::given("USER")).unwrap_or_else(|| "operator".into());
    let by = || By { kind: ByKind::Supervisor, name: name.clone() };
    let mut waiting: HashMap<FactId, &Found> = found.iter().map(|contact| (FactId(clock::new_id()), contact)).collect();
    let asks: Vec<_> = waiting.iter().map(|(id, contact)| ending::ask(*id, contact, by(), &asked.reason)).collect();
    publisher.say(&asks).await?;
    let (mut failed, mut watch) = (0, Stopwatch::start());
    while !waiting.is_empty() && watch.elapsed() < PATIENCE {
        let ids: Vec<FactId> = waiting.keys().copied().collect();
        for (id, became) in reading(pool, async |tx| ending::became(tx, &ids).await).await? {
            let Some(contact) = waiting.remove(&id) else { continue };
            watch = Stopwatch::start();
            match became {
                Became::Ended => println!("ended contact {}", contact.id),
                // somebody was faster: what was asked for is so
                Became::Refused(reason, _) if reason == "already_ended" => {
                    println!("contact {} was over already", contact.id);
                }
                Became::Refused(reason, sentence) => {
                    failed += 1;
                    eprintln!("contact {}: {reason}: {sentence}", contact.id);
                }
                Became::SetAside(reason, detail) => {
                    failed += 1;
                    eprintln!("contact {}: set aside, {reason}: {detail}", contact.id);
                }
            }
        }
        if !waiting.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for (id, contact) in &waiting {
        eprintln!(
            "contact {}: asked for (fact {id}) and not ended yet; it will be once the worker wrap_up runs",
            contact.id
        );
    }
    Ok(failed + waiting.len())
}
