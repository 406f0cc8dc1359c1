//! `texthub watch`: the live view of a terminal: rooms, the queue, agents with their slots, timers, rates. It reads
//! Postgres twice a second and changes nothing. Without a terminal it prints a line every few seconds.

mod reading;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use crossterm::event::{Event, KeyCode, KeyModifiers};
use ratatui::crossterm;
use texthub::runtime::db;
use tokio_util::sync::CancellationToken;

pub use reading::read;

/// What to watch.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Only this tenant.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Print the state once as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Watches until q, Escape or Ctrl-C.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let config = super::config()?;
    let pool = db::pool(config.database(), "texthub watch", 2).map_err(|e| anyhow::anyhow!("{e}"))?;
    if asked.json {
        let reading = read(&pool, asked.tenant.as_deref()).await?;
        println!("{:#}", serde_json::to_value(&reading)?);
        return Ok(());
    }
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopping.cancel();
        }
    });
    show(&pool, asked.tenant.as_deref(), &stop).await
}

/// Shows the state until stopped: on a terminal as a screen, else as lines.
pub async fn show(
    pool: &deadpool_postgres::Pool,
    tenant: Option<&str>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    if !std::io::stdout().is_terminal() {
        return lines(pool, tenant, stop).await;
    }
    let keys = keys(stop.clone());
    let mut terminal = ratatui::init();
    let shown = loop {
        match read(pool, tenant).await {
            Ok(reading) => {
                if let Err(error) = terminal.draw(|frame| view::draw(frame, &reading)) {
                    break Err(error.into());
                }
            }
            Err(error) => break Err(error),
        }
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    };
    ratatui::restore();
    stop.cancel();
    let _ = keys.join();
    shown
}

/// Reads keys on a thread of its own, until stopped.
fn keys(stop: CancellationToken) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        while !stop.is_cancelled() {
            if !crossterm::event::poll(Duration::from_millis(100)).unwrap_or(false) {
                continue;
            }
            if let Ok(Event::Key(key)) = crossterm::event::read() {
                let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    stop.cancel();
                }
            }
        }
    })
}

async fn lines(pool: &deadpool_postgres::Pool, tenant: Option<&str>, stop: &CancellationToken) -> anyhow::Result<()> {
    loop {
        let r = read(pool, tenant).await?;
        let working = r.agents.iter().map(|a| i64::from(a.slots_used)).sum::<i64>();
        println!(
            "rooms open {} · waiting {} · offered {} · active {} · wrap-up {} · slots {} · texts in a minute: in {} out {} · closed in an hour {} · dead {}",
            r.rooms_open,
            r.waiting,
            r.offered,
            r.active,
            r.wrap_up,
            working,
            r.texts_in,
            r.texts_out,
            r.rooms_closed,
            r.dead
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(3)) => {}
        }
    }
}
