//! `texthub users`: who logs in, for the operator: the first administrator of a tenant, and whoever has lost a password.
//! Passwords are made here and shown once; they are good for three days and for choosing another.

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Table;
use deadpool_postgres::{Pool, Transaction};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use texthub::access::audit::{self, Note};
use texthub::access::password::{self, Hashing, ONE_TIME_HOURS};
use texthub::access::problem::Problem;
use texthub::access::rights::{Role, Roles};
use texthub::access::sign_in;
use texthub::access::users::{self, Change, New};
use texthub::config::Config;
use texthub::facts::ids::Slug;

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Asked {
    /// Add a user, and print the one-time password to sign in with.
    Add(Added),
    /// List the users of a tenant.
    List {
        /// Slug of the tenant.
        tenant: Slug,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a user a one-time password; their sign-ins end.
    Reset(Named),
    /// End a user and their sign-ins.
    End {
        /// Slug of the tenant.
        tenant: Slug,
        /// Slug of the user.
        user: Slug,
        /// Who does it; by default the login's name, as an operator.
        #[arg(long)]
        by: Option<String>,
    },
}

/// A user by name.
#[derive(Args, Clone, Debug)]
pub struct Named {
    /// Slug of the tenant.
    tenant: Slug,
    /// Slug of the user, which they sign in with.
    user: Slug,
    /// Who does it; by default the login's name, as an operator.
    #[arg(long)]
    by: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A user to add.
#[derive(Args, Clone, Debug)]
pub struct Added {
    #[command(flatten)]
    named: Named,
    /// agent, supervisor, administrator or integrator; several times for several.
    #[arg(long = "role", required = true, value_enum)]
    roles: Vec<RoleWord>,
    /// On screen; by default the slug.
    #[arg(long)]
    name: Option<String>,
    /// The agent of the tenant's file that they are; by default the one of their own name.
    #[arg(long)]
    agent: Option<Slug>,
    /// Of the screen.
    #[arg(long, default_value = "en")]
    language: String,
}

/// A role as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RoleWord {
    /// Works contacts.
    Agent,
    /// Looks after those who do.
    Supervisor,
    /// Looks after users, tokens and the audit log.
    Administrator,
    /// Connects programs.
    Integrator,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Agent => Self::Agent,
            RoleWord::Supervisor => Self::Supervisor,
            RoleWord::Administrator => Self::Administrator,
            RoleWord::Integrator => Self::Integrator,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn said(problem: Problem) -> anyhow::Error {
    anyhow::anyhow!("{}", problem.sentence)
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = super::pool_to_write(&config).await?;
    match asked {
        Asked::Add(added) => add(&config, &pool, added).await,
        Asked::List { tenant, json } => list(&pool, tenant, *json).await,
        Asked::Reset(named) => reset(&config, &pool, named).await,
        Asked::End { tenant, user, by } => end(&pool, tenant, user, by.as_deref()).await,
    }
}

async fn must_be_tenant(tx: &Transaction<'_>, tenant: &Slug) -> anyhow::Result<()> {
    let found = tx.query_opt("select 1 from tenants where id = $1", &[tenant]).await?;
    anyhow::ensure!(found.is_some(), "there is no tenant {tenant}; `texthub apply FILE` makes it from its file");
    Ok(())
}

async fn note(
    tx: &Transaction<'_>,
    tenant: &Slug,
    user: &Slug,
    by: Option<&str>,
    what: &'static str,
) -> anyhow::Result<()> {
    let note = Note { what, on: Some(("user", user.as_str())), detail: None };
    Ok(audit::note_of(tx, tenant, &super::actor(by), None, &note).await?)
}

async fn add(config: &Config, pool: &Pool, added: &Added) -> anyhow::Result<()> {
    let Named { tenant, user, by, .. } = &added.named;
    let (one_time, phc) = made().await?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    must_be_tenant(&tx, tenant).await?;
    let roles = Roles(added.roles.iter().map(|role| Role::from(*role)).collect());
    let name = added.name.as_deref().unwrap_or(user.as_str());
    let new = New { id: user, name, roles: &roles, agent: added.agent.as_ref(), language: &added.language };
    users::add(&tx, tenant, &new).await.map_err(said)?;
    users::set_one_time(&tx, tenant, user, &phc).await.map_err(said)?;
    note(&tx, tenant, user, by.as_deref(), "user_added").await?;
    tx.commit().await?;
    show(config, &added.named, &one_time);
    Ok(())
}

async fn made() -> anyhow::Result<(SecretString, String)> {
    let one_time = password::one_time().map_err(said)?;
    let phc = Hashing::default().hash(one_time.clone()).await.map_err(said)?;
    Ok((one_time, phc))
}

fn show(config: &Config, named: &Named, one_time: &SecretString) {
    let Named { tenant, user, json, .. } = named;
    let (one_time, url) = (one_time.expose_secret(), Some(config.public_url.as_str()).filter(|url| !url.is_empty()));
    if *json {
        println!("{}", json!({"tenant": tenant, "user": user, "one_time_password": one_time, "url": url}));
        return;
    }
    println!("tenant    {tenant}\nuser      {user}\npassword  {one_time}");
    if let Some(url) = url {
        println!("at        {url}/");
    }
    println!("It is shown here alone, good for {ONE_TIME_HOURS} hours, and to be changed at the first sign-in.");
}

async fn list(pool: &Pool, tenant: &Slug, as_json: bool) -> anyhow::Result<()> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    must_be_tenant(&tx, tenant).await?;
    let all = users::all(&tx, tenant).await?;
    if as_json {
        println!("{}", serde_json::to_string(&all)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.set_header(["user", "name", "roles", "agent", "password", "seen", "ended"]);
    for user in all {
        let password = match (user.has_password, user.must_change) {
            (false, _) => "none",
            (true, true) => "one-time",
            (true, false) => "own",
        };
        let time = |at: Option<jiff::Timestamp>| at.map_or_else(String::new, |at| format!("{at:.0}"));
        let agent = user.agent.map_or_else(String::new, |agent| agent.to_string());
        let (roles, seen, ended) = (user.roles.words().join(", "), time(user.seen_at), time(user.ended_at));
        table.add_row([user.id.to_string(), user.name, roles, agent, password.to_owned(), seen, ended]);
    }
    println!("{table}");
    Ok(())
}

async fn reset(config: &Config, pool: &Pool, named: &Named) -> anyhow::Result<()> {
    let Named { tenant, user, by, .. } = named;
    let (one_time, phc) = made().await?;
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let none = |_| anyhow::anyhow!("there is no user {user} in {tenant}; `texthub users list {tenant}` shows who is");
    users::set_one_time(&tx, tenant, user, &phc).await.map_err(none)?;
    sign_in::revoke_all(&tx, tenant, user, None).await?;
    note(&tx, tenant, user, by.as_deref(), "password_reset").await?;
    tx.commit().await?;
    show(config, named, &one_time);
    Ok(())
}

async fn end(pool: &Pool, tenant: &Slug, user: &Slug, by: Option<&str>) -> anyhow::Result<()> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let change = Change { is_ended: Some(true), ..Change::default() };
    users::change(&tx, tenant, user, &change).await.map_err(said)?;
    let ended = sign_in::revoke_all(&tx, tenant, user, None).await?;
    note(&tx, tenant, user, by, "user_ended").await?;
    tx.commit().await?;
    println!("{user} is ended, and with them {ended} sign-ins");
    Ok(())
}
