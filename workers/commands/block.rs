//! `texthub block`: senders whose texts open and answer nothing. What they wrote lies in a table of its own; with
//! `remove --release` it comes again as it came. A STOP of theirs counts all the same.

use clap::Subcommand;
use deadpool_postgres::Object;
use serde_json::Value;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use texthub::config::Config;
use texthub::facts::envelope::{Publication, conversation};
use texthub::facts::heard::SmsReceived;
use texthub::facts::ids::{FactId, Slug};
use texthub::failure::Failure;
use texthub::hub::sender;
use texthub::records::consent as records;
use texthub::runtime::db;

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// Block a sender.
    Add {
        /// The customer's number.
        number: String,
        /// The tenant; needed where there are several.
        #[arg(long)]
        tenant: Option<String>,
        /// Why; kept beside it.
        #[arg(long)]
        reason: Option<String>,
        /// Who blocks; by default `operator:` and the login's name.
        #[arg(long)]
        by: Option<String>,
    },
    /// Let a sender in again.
    Remove {
        /// The customer's number.
        number: String,
        /// The tenant; needed where there are several.
        #[arg(long)]
        tenant: Option<String>,
        /// Receive the texts that were withheld, blocked or flooding, as if they came now.
        #[arg(long)]
        release: bool,
    },
    /// List blocked senders, and those whose texts were withheld, with how many.
    List {
        /// The tenant; needed where there are several.
        #[arg(long)]
        tenant: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool_to_write(&config).await?;
    let mut client = pool.get().await?;
    let failed = |failure: Failure| anyhow::anyhow!("nothing was written: {failure}");
    match asked {
        Asked::Add { number, tenant, reason, by } => {
            let (tenant, number) = (super::transcripts::tenant(&pool, tenant.as_deref()).await?, number_of(number)?);
            let tx = client.transaction().await?;
            let now = db::now(&tx).await.map_err(failed)?;
            let actor = super::actor(by.as_deref());
            let is_new = sender::block(&tx, now, (&tenant, number), &actor, reason.as_deref()).await.map_err(failed)?;
            tx.commit().await?;
            println!("{number} {}", if is_new { "is blocked" } else { "was blocked already" });
        }
        Asked::Remove { number, tenant, release } => {
            let (tenant, number) = (super::transcripts::tenant(&pool, tenant.as_deref()).await?, number_of(number)?);
            let tx = client.transaction().await?;
            let was_blocked = sender::unblock(&tx, &tenant, number).await.map_err(failed)?;
            tx.commit().await?;
            println!("{number} {}", if was_blocked { "is let in again" } else { "was not blocked" });
            if *release {
                // the block is gone first: else they would be withheld once more
                let count = self::release(&config, &mut client, &tenant, number).await?;
                println!("{count} texts released");
            }
        }
        Asked::List { tenant, limit, json } => {
            let tenant = super::transcripts::tenant(&pool, tenant.as_deref()).await?;
            let tx = client.transaction().await?;
            let found = records::withheld(&tx, &tenant, *limit).await.map_err(failed)?;
            if *json {
                println!("{:#}", Value::Array(found));
            } else {
                let columns = [
                    "customer_number",
                    "blocked_since",
                    "actor",
                    "reason",
                    "texts_blocked",
                    "texts_flood",
                    "last_text_at",
                ];
                super::consent::print(&columns, &found, "nobody is blocked, and no text was withheld");
            }
        }
    }
    Ok(())
}

/// Says withheld texts again, as a carrier does. They are marked once they are said: a text that comes twice is known by its
/// id, one that is lost is not.
async fn release(config: &Config, client: &mut Object, tenant: &Slug, number: &str) -> anyhow::Result<usize> {
    let tx = client.transaction().await?;
    let failed = |failure: Failure| anyhow::anyhow!("nothing was released: {failure}");
    let now = db::now(&tx).await.map_err(failed)?;
    let texts = records::release(&tx, now, tenant, number).await.map_err(failed)?;
    let said = texts.iter().map(again).collect::<anyhow::Result<Vec<Publication>>>()?;
    let link = Link::connect(config.amqp(), "texthub block remove").await?;
    Publisher::open(&link).await?.tell(&said).await?;
    link.close().await;
    tx.commit().await?;
    Ok(said.len())
}

fn number_of(number: &str) -> anyhow::Result<&str> {
    let is_number = texthub::sms::number::is_e164(number) || texthub::sms::number::is_short_code(number);
    anyhow::ensure!(is_number, "{number:?} is no number: write + and 7 to 15 digits");
    Ok(number)
}

/// A withheld text as a fact of its own: its id follows from that of the first one.
fn again(text: &Value) -> anyhow::Result<Publication> {
    let first: FactId = text["first_id"].as_str().unwrap_or_default().parse()?;
    let mut body = text.clone();
    body["id"] = first.derive("released", 0).to_string().into();
    let fact: SmsReceived = serde_json::from_value(body)?;
    let scope = conversation(&fact.to, fact.to_country.as_deref().unwrap_or_default(), &fact.from);
    Ok(Publication::to_the_hub(&fact, scope))
}
