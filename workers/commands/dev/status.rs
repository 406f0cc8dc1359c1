//! What runs, its logs, and the settings that other programs need.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use comfy_table::Table;
use serde::Serialize;
use texthub::config::Config;

use super::folder::{Folder, State};
use super::postgres::Postgres;
use super::process::Pid;
use super::rabbitmq;

/// A server or a role.
#[derive(Serialize)]
struct Line {
    role: String,
    /// Null when it does not run here: a server that the environment named.
    pid: Option<i32>,
    ready: bool,
}

/// Prints what runs.
pub async fn run(folder: &Folder, is_json: bool) -> anyhow::Result<()> {
    let state = folder.state()?.unwrap_or_default();
    let lines = lines(folder, &state).await?;
    if is_json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_header(["ROLE", "PID", "READY"]);
        for line in &lines {
            let pid = line.pid.map_or("-".to_owned(), |pid| pid.to_string());
            table.add_row([line.role.clone(), pid, (if line.ready { "yes" } else { "no" }).to_owned()]);
        }
        println!("{table}");
        print!("{}", super::people::lines(&state));
    }
    let missing = lines.iter().filter(|line| !line.ready && line.role != "demo").count();
    ensure!(missing == 0, "{missing} of {} do not run; `./dev up --detach` starts what is missing", lines.len());
    Ok(())
}

async fn lines(folder: &Folder, state: &State) -> anyhow::Result<Vec<Line>> {
    let config = Config::of(&super::up::settings(state)).map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
    let postgres = if state.given_database_url.is_some() {
        let answers = tokio_postgres::connect(&state.database_url(), tokio_postgres::NoTls).await.is_ok();
        Line { role: "postgres".into(), pid: None, ready: answers }
    } else {
        let pid = Postgres::find(folder).ok().and_then(|postgres| postgres.pid());
        let answers = tokio_postgres::connect(&state.database_url(), tokio_postgres::NoTls).await.is_ok();
        Line { role: "postgres".into(), pid, ready: pid.is_some() && answers }
    };
    let link = texthub::amqp::connection::Link::connect(&state.amqp_url(), "texthub dev status").await;
    let broker = if state.given_amqp_url.is_some() {
        Line { role: "rabbitmq".into(), pid: None, ready: link.is_ok() }
    } else {
        let pid = state.rabbitmq.filter(|_| rabbitmq::is_alive(state)).map(|process| process.pid);
        Line { role: "rabbitmq".into(), pid, ready: pid.is_some() && link.is_ok() }
    };
    if let Ok(link) = link {
        link.close().await;
    }
    let alive = state.texthub.filter(|process| process.is_alive()).map(|process| process.pid);
    let answer = reqwest::get(format!("{}/readyz", state.http_url())).await;
    let is_ready = alive.is_some() && answer.is_ok_and(|answer| answer.status().is_success());
    let mut lines = vec![postgres, broker];
    for role in crate::role_names(&config) {
        lines.push(Line { role: role.to_owned(), pid: alive, ready: is_ready });
    }
    if let Some(demo) = state.demo.filter(|demo| Pid::is_alive(*demo)) {
        lines.push(Line { role: "demo".into(), pid: Some(demo.pid), ready: true });
    }
    Ok(lines)
}

/// Prints the ends of the logs, or goes on as they grow.
pub fn logs(folder: &Folder, is_following: bool) -> anyhow::Result<()> {
    let mut files: Vec<PathBuf> = ["texthub", "demo", "rabbitmq"].map(|name| folder.log(name)).into();
    if let Ok(postgres) = Postgres::find(folder) {
        files.push(postgres.log().to_owned());
    }
    files.retain(|file| file.exists());
    if files.is_empty() {
        bail!("there are no logs yet; `./dev up` starts the stack");
    }
    let follow: &[&str] = if is_following { &["-F"] } else { &[] };
    let status = std::process::Command::new("tail").args(["-n", "50"]).args(follow).args(files).status()?;
    ensure!(status.success() || is_following, "tail failed");
    Ok(())
}

/// Prints the settings.
pub fn env(folder: &Folder) -> anyhow::Result<()> {
    let state = folder.state()?.filter(|state| state.amqp_port != 0 || state.given_amqp_url.is_some());
    let state = state.context("there is no stack yet; `./dev up --detach` starts one")?;
    let bin = std::env::current_exe()?;
    let mut lines = super::up::settings(&state);
    lines.push(("TEXTHUB_HTTP_URL", state.http_url()));
    lines.push(("TEXTHUB_BIN", bin.to_string_lossy().into_owned()));
    lines.extend(state.amqp_api_url().map(|url| ("TEXTHUB_AMQP_API_URL", url)));
    for (name, value) in lines.into_iter().filter(|(name, _)| !name.ends_with("_LISTEN")) {
        println!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
    Ok(())
}
