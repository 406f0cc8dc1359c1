//! `texthub simulate`: what if? A day of contacts, recorded, given or generated, through the routing code on a virtual
//! clock, against one tenant file or two side by side. It writes nothing; only `--recorded` reads a database.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;
use texthub::facts::ids::Slug;
use texthub::simulation::company::Company;
use texthub::simulation::day::{Arrival, Day, HANDLING_S};
use texthub::simulation::engine;
use texthub::simulation::report::{Busy, Report};
use texthub::tenant::check;

/// Which day, against which files.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["day", "generate", "recorded"]))]
pub struct Asked {
    /// The tenant file.
    file: PathBuf,
    /// Another tenant file for the same day, beside it.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Lines of JSON, `{"contact": {…}}` and `{"agent": {…}}`: docs/simulation.md tells their keys.
    #[arg(long)]
    day: Option<PathBuf>,
    /// So many contacts by chance, over 24 hours.
    #[arg(long)]
    generate: Option<usize>,
    /// The contacts of this tenant, from the database.
    #[arg(long, requires = "from", requires = "to")]
    recorded: Option<Slug>,
    /// The first moment of what was recorded.
    #[arg(long)]
    from: Option<Timestamp>,
    /// The first moment after it.
    #[arg(long)]
    to: Option<Timestamp>,
    /// Of what is left to chance; the same seed, the same day.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds of the service level.
    #[arg(long, default_value_t = 30.0)]
    within: f64,
    /// Percent of the contacts that are to be answered within them.
    #[arg(long, default_value_t = 90.0)]
    target: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Plays the day and prints what it comes to.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let companies: Vec<Company> =
        std::iter::once(&asked.file).chain(&asked.against).map(|file| company(file)).collect::<Result<_, _>>()?;
    let day = day(asked, &companies[0]).await?;
    anyhow::ensure!(!day.contacts.is_empty(), "the day has no contacts");
    let bar = bar(day.contacts.len() * companies.len())?;
    let reports: Vec<Report> = companies
        .iter()
        .map(|company| Report::of(&engine::run(company, &day, &mut |_| bar.inc(1)), asked.within))
        .collect();
    bar.finish_and_clear();
    if asked.json {
        let met: Vec<bool> = reports.iter().map(|report| is_met(asked, report)).collect();
        println!("{:#}", json!({"target": asked.target / 100.0, "is_met": met, "runs": reports}));
    } else {
        println!("{}", told(asked, &reports));
    }
    Ok(())
}

fn company(file: &Path) -> anyhow::Result<Company> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    check::read(&text).map(|file| Company::of(&file)).map_err(|mistakes| {
        let sentences: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence(&name)).collect();
        anyhow::anyhow!("{}", sentences.join("\n"))
    })
}

async fn day(asked: &Asked, company: &Company) -> anyhow::Result<Day> {
    if let Some(file) = &asked.day {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        return Day::read(&text, asked.seed).map_err(|mistake| anyhow::anyhow!("{}: {mistake}", file.display()));
    }
    if let Some(count) = asked.generate {
        return Ok(Day::generate(company, count, asked.seed, Timestamp::UNIX_EPOCH));
    }
    let (Some(tenant), Some(from), Some(to)) = (&asked.recorded, asked.from, asked.to) else {
        anyhow::bail!("say --day, --generate, or --recorded with --from and --to");
    };
    let pool = super::pool(&super::config()?)?;
    let contacts = recorded(&pool, tenant, from, to).await?;
    Ok(Day { contacts, seed: asked.seed, ..Day::default() })
}

/// What came to a tenant; one that nobody accepted takes the average, and whose customer left is as patient again.
pub async fn recorded(
    pool: &deadpool_postgres::Pool,
    tenant: &Slug,
    from: Timestamp,
    to: Timestamp,
) -> anyhow::Result<Vec<Arrival>> {
    let rows = pool
        .get()
        .await?
        .query(
            "select queued_at, coalesce(first_skill, skill),
                    coalesce(extract(epoch from ended_at - accepted_at)::float8, $4), priority,
                    case when accepted_at is null and outcome = 'abandoned' and reason <> 'waited_too_long'
                      then extract(epoch from ended_at - queued_at)::float8 end
             from contacts
             where tenant = $1 and queued_at >= $2 and queued_at < $3 and state <> 'prequeue'
             order by queued_at, id",
            &[tenant, &from, &to, &HANDLING_S],
        )
        .await?;
    let arrival = |row: &tokio_postgres::Row| Arrival {
        at: row.get(0),
        skill: row.get(1),
        handling_s: row.get(2),
        priority: Some(row.get(3)),
        patience_s: row.get(4),
    };
    Ok(rows.iter().map(arrival).collect())
}

fn bar(contacts: usize) -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} contacts, {elapsed}")?;
    Ok(ProgressBar::new(contacts as u64).with_style(style))
}

fn is_met(asked: &Asked, report: &Report) -> bool {
    report.service_level * 100.0 >= asked.target
}

fn told(asked: &Asked, reports: &[Report]) -> String {
    let mut table = Table::new();
    let names = std::iter::once(&asked.file).chain(&asked.against).map(|file| file.display().to_string());
    table.load_style(comfy_table::presets::NOTHING).set_header(std::iter::once(String::new()).chain(names));
    let mut row = |name: &str, value: &dyn Fn(&Report) -> String| {
        table.add_row(std::iter::once(name.to_owned()).chain(reports.iter().map(value)));
    };
    row("contacts", &|r| r.contacts.to_string());
    row("answered", &|r| r.answered.to_string());
    row("abandoned", &|r| r.abandoned.to_string());
    if reports.iter().any(|report| report.left > 0) {
        row("left at the end", &|r| r.left.to_string());
    }
    if reports.iter().any(|report| report.unknown_skill > 0) {
        row("of skills it lacks", &|r| r.unknown_skill.to_string());
    }
    row(&format!("answered within {} s", asked.within), &|r| {
        let met = if is_met(asked, r) { "met" } else { "missed" };
        format!("{} ({met}: {} %)", percent(r.service_level), asked.target)
    });
    row("wait, average", &|r| seconds(r.waits.average));
    row("wait, p50", &|r| seconds(r.waits.p50));
    row("wait, p90", &|r| seconds(r.waits.p90));
    row("wait, longest", &|r| seconds(r.waits.longest));
    row("offers", &|r| format!("{} ({} refused, {} missed)", r.offers, r.refused, r.lapsed));
    row("occupancy", &|r| percent(r.occupancy));
    let mut agents: Vec<&Slug> = reports.iter().flat_map(|r| &r.agents).map(|busy| &busy.agent).collect();
    agents.sort_unstable();
    agents.dedup();
    for agent in agents {
        let busy = |busy: &Busy| format!("{} ({} answered)", percent(busy.occupancy), busy.answered);
        row(&format!("  {agent}"), &|r| r.agents.iter().find(|b| b.agent == *agent).map_or("-".into(), busy));
    }
    table.trim_fmt()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

#[cfg(test)]
mod tests;
