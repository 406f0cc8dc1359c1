//! `texthub sms when`: whether a text may arrive at a number now, and else from when on, with the reasons. Needs no servers
//! and keeps nothing; the policy is that of a tenant file, or the default one.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use texthub::facts::purpose::Purpose;
use texthub::runtime::clock;
use texthub::sms::quiet::policy::Policy;
use texthub::sms::quiet::{self, Decision, Verdict, law};
use texthub::tenant::check;

/// A text, and when.
#[derive(Args, Clone, Debug)]
pub struct When {
    /// The recipient's number, E.164.
    number: String,
    /// What it is for: conversational, informational or promotional.
    #[arg(long, default_value = "promotional", value_parser = purpose)]
    purpose: Purpose,
    /// At this moment, as 2026-11-25T12:00:00Z; without it, now.
    #[arg(long)]
    at: Option<Timestamp>,
    /// With the policy and the time zone of this tenant file.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Print JSON, as it is kept with a text.
    #[arg(long)]
    json: bool,
}

fn purpose(word: &str) -> Result<Purpose, String> {
    Purpose::of(word).ok_or_else(|| "write conversational, informational or promotional".to_owned())
}

/// Tells it.
pub fn run(asked: &When) -> anyhow::Result<()> {
    let (policy, zone) = match &asked.file {
        None => (Policy::default(), "UTC".to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let file = check::read(&std::fs::read_to_string(path)?).map_err(|mistakes| {
                let all: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence(&name)).collect();
                anyhow::anyhow!("{}", all.join("\n"))
            })?;
            (file.quiet_hours.policy, file.time_zone.map_or_else(|| "UTC".to_owned(), |at| at.value))
        }
    };
    let decision = quiet::decide(asked.at.unwrap_or_else(clock::wall), &asked.number, asked.purpose, &policy, &zone);
    let told = if asked.json { format!("{:#}", json!(decision)) } else { told(&decision) };
    Ok(writeln!(std::io::stdout().lock(), "{told}")?)
}

/// The answer for people.
fn told(decision: &Decision) -> String {
    let mut lines = vec![match (decision.verdict, decision.until) {
        (Verdict::Exempt, _) => format!("may leave: exempt ({})", decision.why.as_deref().unwrap_or_default()),
        (Verdict::Open, _) => "may leave now".to_owned(),
        (_, Some(until)) => format!("held until {until}"),
        (_, None) => "never: no hour of the week is inside all hours".to_owned(),
    }];
    if let Some(basis) = &decision.basis {
        let place: Vec<&str> = decision.country.iter().chain(&decision.states).map(String::as_str).collect();
        lines.push(format!(
            "place: {} (zones by {basis})",
            if place.is_empty() { "unknown".into() } else { place.join(", ") }
        ));
    }
    for local in &decision.zones {
        let hours = local.hours.as_deref().unwrap_or("not on that day");
        lines.push(format!("  {}  {}  hours {hours}", local.zone, local.clock));
    }
    for id in &decision.rules {
        let rule = law::rules().iter().find(|rule| rule.id == *id);
        lines.push(format!("rule {id}: {}", rule.map_or("the tenant's own", |rule| rule.source.as_str())));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_until_when_and_why() {
        let at = "2026-11-25T08:00:00Z".parse().unwrap();
        let decision = quiet::decide(at, "+13055552368", Purpose::Promotional, &Policy::default(), "UTC");
        let told = told(&decision);
        for line in
            ["held until 2026-11-25T13:00:00Z", "US, US-FL", "Wed 03:00  hours 08:00-20:00", "us_fl: Fla. Stat."]
        {
            assert!(told.contains(line), "{told}");
        }
    }
}
