//! `texthub why CONTACT`: where a contact stands and why: its place in the queue with each agent's reason, or in whose hands
//! it is, and what became of every offer of it. Reads alone, and shows no text and no number.

use clap::Args;
use comfy_table::Table;
use jiff::Timestamp;
use texthub::facts::ids::ContactId;
use texthub::routing::why::{self, Answer, Judged, Past, Queue};

/// Which contact.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Its id, as facts, `texthub transcripts` and `texthub end` tell it.
    contact: ContactId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Tells it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let pool = super::pool(&super::config()?)?;
    let mut client = pool.get().await?;
    let tx = client.build_transaction().read_only(true).start().await?;
    let now: Timestamp = tx.query_one("select now()", &[]).await?.get(0);
    let answer = why::of_contact(&tx, now, asked.contact).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let Some(answer) = answer else { anyhow::bail!("there is no contact {}", asked.contact) };
    if asked.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        println!("{}", told(&answer));
    }
    Ok(())
}

/// The answer for people.
pub fn told(answer: &Answer) -> String {
    let mut parts = vec![head(answer)];
    if let Some(queue) = &answer.queue {
        parts.push(place(queue));
        let row = |judged: &Judged| {
            let why_not = judged.why_not.as_ref().map_or("eligible".into(), |why| why.sentence(answer.at));
            vec![judged.agent.to_string(), judged.proficiency.to_string(), why_not]
        };
        parts.push(table(&["AGENT", "PROFICIENCY", "WHY NOT"], queue.agents.iter().map(row)));
    }
    if !answer.offers.is_empty() {
        let header = ["OFFERED AT", "TO", "WHY", "OUTCOME"];
        parts.push(table(&header, answer.offers.iter().map(past)));
    }
    parts.join("\n\n")
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

fn head(answer: &Answer) -> String {
    let parts = [
        Some(format!("contact {} of {}, skill {}: {}", answer.contact_id, answer.tenant, answer.skill, answer.state)),
        answer.agent.as_ref().map(|agent| format!(" with {agent}")),
        answer.since.map(|since| format!(" since {since} ({} s)", seconds(since, answer.at))),
        answer.until.map(|until| format!(", until {until} at the latest")),
        answer.outcome.as_ref().map(|o| format!(", {o} ({})", answer.reason.as_deref().unwrap_or("no reason"))),
    ];
    parts.into_iter().flatten().collect()
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

fn place(queue: &Queue) -> String {
    let preferred = queue.preferred_agent.as_ref().map(|agent| format!(", prefers {agent}")).unwrap_or_default();
    format!("place {} of {}, priority {:.1}{preferred}", queue.place, queue.waiting, queue.priority)
}

fn past(offer: &Past) -> Vec<String> {
    let why = offer.why.as_deref().unwrap_or("-");
    let by = offer
        .proficiency
        .zip(offer.idle_since)
        .map(|(proficiency, idle)| format!(": proficiency {proficiency}, idle {} s", seconds(idle, offer.made_at)));
    let before = offer.runner_up.as_ref().map(|next| format!(", before {next}"));
    let why = format!("{why}{}{}", by.unwrap_or_default(), before.unwrap_or_default());
    let outcome = match (&offer.reason, offer.settled_at) {
        (Some(reason), Some(at)) if *reason != offer.state => format!("{} ({reason}) at {at}", offer.state),
        (_, Some(at)) => format!("{} at {at}", offer.state),
        _ => offer.state.clone(),
    };
    vec![offer.made_at.to_string(), offer.agent.to_string(), why, outcome]
}

#[cfg(test)]
mod tests;
