//! Opting out and in by hand, asking for a double opt-in, forgetting: one transaction each, with who did it and how.

use std::io::Write as _;

use clap::Args;
use deadpool_postgres::Pool;
use serde_json::{Map, Value, json};
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::facts::ids::{FactId, Slug};
use texthub::failure::Failure;
use texthub::hub::consent::{
    Basis, ConsentKind, Method, Noted, Proof, Scope, ask as asking, key, note as into_ledger, opted_out,
};
use texthub::records::consent as ledger;
use texthub::runtime::{clock, db};
use texthub::tenant::point_of_contact;

use super::{Whose, customer, reading};

/// A word by hand.
#[derive(Args, Clone, Debug)]
pub struct Word {
    /// The customer's number.
    number: String,
    #[command(flatten)]
    whose: Whose,
    /// Of this number of ours; left out: of all that the tenant sends.
    #[arg(long)]
    our_number: Option<String>,
    /// How far it reaches: number, brand or all; by default number with --our-number, else brand.
    #[arg(long)]
    scope: Option<Scope>,
    /// How the customer said it: web, paper, voice, agent, carrier, keyword.
    #[arg(long, default_value = "agent")]
    method: Method,
    #[command(flatten)]
    proof: Told,
    /// Who notes it: agent:SLUG, program:NAME, operator:NAME; by default the login's name.
    #[arg(long)]
    by: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What proves it.
#[derive(Args, Clone, Debug)]
struct Told {
    /// Exactly what the customer was told; its SHA-256 is kept beside.
    #[arg(long)]
    disclosure: Option<String>,
    /// What an opt-in rests on: implied, express, written.
    #[arg(long)]
    basis: Option<Basis>,
    /// Where the evidence is kept.
    #[arg(long)]
    evidence: Option<String>,
    /// The page it was given on.
    #[arg(long)]
    url: Option<String>,
    /// From which address.
    #[arg(long)]
    ip: Option<String>,
    /// By which browser.
    #[arg(long)]
    user_agent: Option<String>,
    /// The fact that brought it, as the text that was flagged.
    #[arg(long)]
    fact: Option<FactId>,
}

impl Told {
    fn proof(&self) -> Proof {
        let fact = self.fact.map(|id| id.to_string());
        let fields = [("fact_id", &fact), ("url", &self.url), ("ip", &self.ip), ("user_agent", &self.user_agent)];
        let source: Map<String, Value> =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect();
        Proof {
            source: (!source.is_empty()).then_some(Value::Object(source)),
            disclosure: self.disclosure.clone(),
            basis: self.basis,
            evidence: self.evidence.clone(),
        }
    }
}

/// Notes it.
pub async fn note(word: &Word, kind: ConsentKind) -> anyhow::Result<()> {
    let number = customer(&word.number)?;
    let pool = super::super::pool_to_write(&super::super::config()?).await?;
    let tenant = word.whose.tenant(&pool).await?;
    if let Some(ours) = &word.our_number {
        is_ours(&pool, &tenant, ours).await?;
    }
    let scope = word.scope.unwrap_or(if word.our_number.is_some() { Scope::Number } else { Scope::Brand });
    anyhow::ensure!(scope != Scope::Number || word.our_number.is_some(), "the scope number needs --our-number");
    let ours = word.our_number.clone().unwrap_or_default();
    let noted = Noted {
        scope,
        method: word.method,
        actor: super::super::actor(word.by.as_deref()).into(),
        keyword: None,
        proof: word.proof.proof(),
        ..Noted::by_keyword((tenant.as_str(), &ours, number), kind, "", FactId(clock::new_id()))
    };
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let failed = |failure: Failure| anyhow::anyhow!("nothing was written: {failure}");
    let now = db::now(&tx).await.map_err(failed)?;
    let has_changed = into_ledger(&tx, now, &[noted]).await.map_err(failed)?.contains(&true);
    tx.commit().await?;
    let state = if kind == ConsentKind::OptOut { "out" } else { "in" };
    if word.json {
        println!("{:#}", json!({"kind": kind.as_str(), "scope": scope.as_str(), "changed": has_changed}));
    } else if has_changed {
        println!("{number} is {state} now ({})", scope.as_str());
    } else {
        println!("noted; {number} was {state} already, or a later word stands against it");
    }
    Ok(())
}

async fn is_ours(pool: &Pool, tenant: &Slug, number: &str) -> anyhow::Result<()> {
    let ours = reading(pool, async |tx| ledger::our_numbers(tx, tenant).await).await?;
    anyhow::ensure!(
        ours.iter().any(|own| own == number),
        "{number:?} is no number of {tenant}; there are: {}",
        ours.join(", ")
    );
    Ok(())
}

/// Asking for a double opt-in.
#[derive(Args, Clone, Debug)]
pub struct Ask {
    /// The customer's number.
    number: String,
    #[command(flatten)]
    whose: Whose,
    /// From this number of ours; needed where there are several.
    #[arg(long)]
    our_number: Option<String>,
    /// What to ask; by default the tenant's.
    #[arg(long)]
    text: Option<String>,
    /// How the customer came to be asked: web, paper, voice, agent.
    #[arg(long, default_value = "web")]
    method: Method,
    /// Who asks; by default `operator:` and the login's name.
    #[arg(long)]
    by: Option<String>,
}

/// Asks.
pub async fn ask(ask: &Ask) -> anyhow::Result<()> {
    let number = customer(&ask.number)?;
    let config = super::super::config()?;
    let pool = super::super::pool_to_write(&config).await?;
    let tenant = ask.whose.tenant(&pool).await?;
    let link = Link::connect(config.amqp(), "texthub consent ask").await?;
    let publisher = Publisher::open(&link).await?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let failed = |failure: Failure| anyhow::anyhow!("nothing was written: {failure}");
    let points =
        point_of_contact::live_of_tenant(&tx, &tenant, ask.our_number.as_deref(), None).await.map_err(failed)?;
    let [point] = points.as_slice() else {
        anyhow::ensure!(!points.is_empty(), "{tenant} has no such live number");
        anyhow::bail!("{tenant} has several numbers; say --our-number");
    };
    let text = ask.text.clone().unwrap_or_else(|| point.ask_text.clone());
    anyhow::ensure!((1..=1600).contains(&text.chars().count()), "a text has 1 to 1,600 characters");
    let party = (tenant.as_str(), point.number.as_str(), number);
    let is_out = opted_out(&tx, &[party]).await.map_err(failed)?.contains(&true);
    anyhow::ensure!(!is_out, "{number} has opted out: only the customer's own START brings them back");
    let now = db::now(&tx).await.map_err(failed)?;
    let cause = FactId(clock::new_id());
    let noted = Noted {
        method: ask.method,
        actor: super::super::actor(ask.by.as_deref()).into(),
        keyword: None,
        proof: Proof { disclosure: Some(text), ..Proof::default() },
        ..Noted::by_keyword(party, ConsentKind::Asked, "", cause)
    };
    let Some(said) = asking::ask(&tx, now, cause, point, noted).await.map_err(failed)? else {
        anyhow::bail!("{number} was asked before and has not answered");
    };
    tx.commit().await?;
    // should this process end here, the sweep asks for the text again
    publisher.say(&said).await?;
    link.close().await;
    println!("asked {number}; YES opts in");
    Ok(())
}

/// Forgets.
pub async fn forget(whose: &Whose, number: &str, is_sure: bool) -> anyhow::Result<()> {
    // a visitor of web chat has a card, and nothing in the ledger
    let number = if number.parse::<uuid::Uuid>().is_ok() { number } else { customer(number)? };
    let pool = super::super::pool_to_write(&super::super::config()?).await?;
    let tenant = whose.tenant(&pool).await?;
    if !is_sure {
        print!("replace {number} by a keyed hash in the ledger of {tenant}, for good? [y/N] ");
        std::io::stdout().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        anyhow::ensure!(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()), "nothing was written");
    }
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let failed = |failure: Failure| anyhow::anyhow!("nothing was written: {failure}");
    let entries = match key::forget(&tx, &tenant, number).await.map_err(failed)? {
        Ok(entries) => entries,
        Err(mistake) => anyhow::bail!("nothing was written: {mistake}"),
    };
    let rooms = ledger::rooms_of(&tx, &tenant, number).await.map_err(failed)?;
    tx.commit().await?;
    println!("forgotten in {entries} entries of the ledger; {rooms} transcripts hold the number still");
    Ok(())
}
