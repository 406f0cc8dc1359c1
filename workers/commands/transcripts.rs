//! `texthub transcripts`: the newest closed rooms, and what was said in them.

use clap::Args;
use comfy_table::Table;
use deadpool_postgres::Pool;
use serde_json::Value;
use texthub::facts::ids::Slug;
use texthub::records::transcripts::{Of, newest};
use uuid::Uuid;

/// Which transcripts, and how.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Whose; needed where there are several.
    #[arg(long)]
    tenant: Option<String>,
    /// Of this customer's number (or chat visitor), whichever of our numbers was used.
    #[arg(long)]
    customer: Option<String>,
    /// On this number of ours.
    #[arg(long)]
    our_number: Option<String>,
    /// With this number on either side.
    #[arg(long, conflicts_with_all = ["customer", "our_number"])]
    number: Option<String>,
    /// One room, open or closed.
    #[arg(long, conflicts_with_all = ["customer", "our_number", "number"])]
    room: Option<Uuid>,
    /// The room of one contact, open or closed.
    #[arg(long, conflicts_with_all = ["customer", "our_number", "number", "room"])]
    contact: Option<Uuid>,
    /// The room of one session, open or closed.
    #[arg(long, conflicts_with_all = ["customer", "our_number", "number", "room", "contact"])]
    session: Option<Uuid>,
    /// The newest so many.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=1000))]
    last: i64,
    /// Show every text; so do --room, --contact and --session.
    #[arg(long)]
    texts: bool,
    /// As JSON, with every text.
    #[arg(long)]
    json: bool,
}

/// Prints them.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let pool = super::pool(&super::config()?)?;
    let tenant = tenant(&pool, asked.tenant.as_deref()).await?;
    let of = match asked {
        Asked { room: Some(id), .. } => Of::Room(*id),
        Asked { contact: Some(id), .. } => Of::Contact(*id),
        Asked { session: Some(id), .. } => Of::Session(*id),
        Asked { customer: Some(customer), our_number: Some(ours), .. } => Of::Between(customer.clone(), ours.clone()),
        Asked { customer: Some(number), .. } => Of::Customer(number.clone()),
        Asked { our_number: Some(number), .. } => Of::OurNumber(number.clone()),
        Asked { number: Some(number), .. } => Of::EitherSide(number.clone()),
        _ => Of::Tenant,
    };
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let found = newest(&tx, &tenant, &of, asked.last).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    anyhow::ensure!(!found.is_empty() || !of.is_one(), "there is no such room in tenant {tenant}");
    if asked.json {
        println!("{:#}", Value::Array(found));
    } else if found.is_empty() {
        println!("no transcripts");
    } else if asked.texts || of.is_one() {
        found.iter().for_each(show);
    } else {
        list(&found);
    }
    Ok(())
}

/// The tenant that was named, or the only one.
pub async fn tenant(pool: &Pool, named: Option<&str>) -> anyhow::Result<Slug> {
    let rows = pool.get().await?.query("select id from tenants order by id", &[]).await?;
    let known: Vec<Slug> = rows.iter().map(|row| row.get(0)).collect();
    let names = || known.iter().map(Slug::as_str).collect::<Vec<_>>().join(", ");
    match (named, known.as_slice()) {
        (Some(named), _) => match known.iter().find(|slug| slug.as_str() == named) {
            Some(slug) => Ok(slug.clone()),
            None => anyhow::bail!("there is no tenant {named}; there are: {}", names()),
        },
        (None, [only]) => Ok(only.clone()),
        (None, []) => anyhow::bail!("there is no tenant yet; `texthub apply FILE` sets one up"),
        (None, _) => anyhow::bail!("say --tenant; there are: {}", names()),
    }
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("-")
}

fn agents(room: &Value) -> String {
    let agents: Vec<&str> = room["agents"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if agents.is_empty() { "-".into() } else { agents.join(", ") }
}

fn list(rooms: &[Value]) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["ROOM", "OPENED", "CLOSED", "CUSTOMER", "OURS", "AGENTS", "OUTCOME", "TEXTS"]);
    for room in rooms {
        table.add_row([
            word(room, "room_id").to_owned(),
            seconds(word(room, "opened_at")),
            seconds(word(room, "closed_at")),
            word(room, "customer_number").to_owned(),
            word(room, "our_number").to_owned(),
            agents(room),
            word(room, "outcome").to_owned(),
            room["entries"].as_array().map_or(0, Vec::len).to_string(),
        ]);
    }
    println!("{table}");
}

/// A time without its fraction.
fn seconds(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// The text, and a line for each medium.
fn said(entry: &Value) -> String {
    let text = word(entry, "text").replace(char::is_control, " ");
    let media = entry["media"].as_array().into_iter().flatten().map(|medium| {
        let words = ["stored_type", "type"].iter().find_map(|name| medium[name].as_str()).unwrap_or("-");
        let size = medium["size"].as_i64().map(|size| format!(", {size} bytes")).unwrap_or_default();
        let reason = medium["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let told = match (medium["id"].as_str(), medium["state"].as_str()) {
            (Some(id), Some(state)) => format!("[{words}{size}: {state}{reason}, medium {id}]"),
            _ => format!("[{words}: {}]", word(medium, "url")),
        };
        told.replace(char::is_control, " ")
    });
    std::iter::once(text).chain(media).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn show(room: &Value) {
    println!(
        "room {} · {} · {} with {} · {} to {} · agents {} · {}",
        word(room, "room_id"),
        word(room, "channel"),
        word(room, "our_number"),
        word(room, "customer_number"),
        seconds(word(room, "opened_at")),
        seconds(word(room, "closed_at")),
        agents(room),
        word(room, "outcome"),
    );
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header([
        "#",
        "AT",
        "AUTHOR",
        "DIRECTION",
        "PARTS",
        "STATE",
        "TEXT",
    ]);
    for entry in room["entries"].as_array().into_iter().flatten() {
        let author = entry["agent"].as_str().unwrap_or_else(|| word(entry, "author"));
        let state = match entry["reason"].as_str() {
            Some(reason) => format!("{} ({reason})", word(entry, "state")),
            None => word(entry, "state").to_owned(),
        };
        table.add_row([
            entry["seq"].to_string(),
            seconds(word(entry, "at")),
            author.to_owned(),
            word(entry, "direction").to_owned(),
            entry["parts"].to_string(),
            state,
            said(entry),
        ]);
    }
    println!("{table}\n");
}
