//! `dev up`: servers, schema, the example's tenant, every role in one process, and the demonstration. Each step says how
//! long it took. What this command started ends with it, but for `--detach`.

use std::future::Future;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use texthub::config::Config;
use texthub::runtime::clock::Stopwatch;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::folder::{Folder, State, free_ports, is_free};
use super::postgres::{Postgres, create_database};
use super::process::Pid;
use super::{Up, people, rabbitmq, secret};

const EXAMPLE: &str = "examples/three-bears.toml";
/// Texts in work are finished within the drain time of `texthub run`.
const DRAIN: Duration = Duration::from_secs(30);

/// What this command started, and so what it ends.
#[derive(Default)]
struct Started {
    postgres: bool,
    rabbitmq: bool,
    texthub: bool,
}

/// Brings it up.
pub async fn run(folder: &Folder, how: &Up) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    end_on_signal(&stop)?;
    let lock = folder.lock()?;
    let mut state = known(folder)?;
    let mut started = Started::default();
    let rising = rise(folder, &mut state, &mut started, how);
    let risen = tokio::select! { risen = rising => risen, () = stop.cancelled() => Err(anyhow::anyhow!("stopped before it was up")) };
    drop(lock);
    let is_staying = how.detach || how.servers;
    if let Err(error) = risen {
        if !is_staying {
            fall(folder, &mut state, &started).await?;
        }
        return Err(error);
    }
    if is_staying {
        return Ok(());
    }
    let played = play(&state, how, &stop).await;
    eprintln!("ending what was started …");
    let lock = folder.lock()?;
    fall(folder, &mut state, &started).await?;
    drop(lock);
    eprintln!("ended; the data stays in {}", folder.path.display());
    played
}

/// The state before, with the servers that the environment names.
fn known(folder: &Folder) -> anyhow::Result<State> {
    let mut state = folder.state()?.unwrap_or_default();
    if state.password.is_empty() {
        state.password = secret();
    }
    state.given_database_url = Config::given("TEXTHUB_DATABASE_URL").filter(|url| *url != state.private_database_url());
    state.given_amqp_url = Config::given("TEXTHUB_AMQP_URL").filter(|url| *url != state.private_amqp_url());
    Ok(state)
}

async fn rise(folder: &Folder, state: &mut State, started: &mut Started, how: &Up) -> anyhow::Result<()> {
    if state.given_amqp_url.is_none() {
        started.rabbitmq = !rabbitmq::is_alive(state);
        rabbitmq::start(folder, state)?;
        folder.keep(state)?;
    }
    if state.given_database_url.is_none() {
        let postgres = Postgres::find(folder)?;
        started.postgres = postgres.pid().is_none();
        step("postgres", async { postgres.start(state, how.volatile) }).await?;
        folder.keep(state)?;
        create_database(state).await.context("the private Postgres does not take texthub's sign-in")?;
    }
    if state.given_amqp_url.is_none() {
        step("rabbitmq", rabbitmq::answers(folder, state)).await?;
    }
    if how.servers {
        return Ok(());
    }
    ensure!(Path::new(EXAMPLE).exists(), "there is no {EXAMPLE} here; run this at the root of the project");
    step("migrate", command(state, &["migrate"])).await?;
    step("apply", command(state, &["apply", EXAMPLE])).await?;
    people::settle(state).await?;
    folder.keep(state)?;
    if !state.texthub.is_some_and(Pid::is_alive) {
        started.texthub = true;
        for port in [&mut state.http_port, &mut state.simulator_port] {
            if *port == 0 || !is_free(*port) {
                *port = free_ports(1)?[0];
            }
        }
        let program = std::env::current_exe()?;
        let log = folder.log("texthub");
        let prepare = |command: &mut std::process::Command| {
            command.args(["run", "all"]).envs(settings(state)).env("TEXTHUB_LOG_FORMAT", "json");
            command.env("TEXTHUB_SIMULATOR_RECORD", folder.path.join("simulator"));
        };
        state.texthub = Some(Pid::start(&program, prepare, &log)?);
    }
    folder.keep(state)?;
    step("texthub", ready(folder, state)).await?;
    if how.detach && !how.no_demo && !state.demo.is_some_and(Pid::is_alive) {
        let prepare = |command: &mut std::process::Command| _ = command.arg("demo").envs(settings(state));
        state.demo = Some(Pid::start(&std::env::current_exe()?, prepare, &folder.log("demo"))?);
        folder.keep(state)?;
    }
    eprintln!("the desk            {}/", state.http_url());
    eprint!("{}", people::lines(state));
    eprintln!("health and metrics  {}/readyz  {}/metrics", state.http_url(), state.http_url());
    eprintln!("for other programs  eval \"$(./dev env)\"");
    Ok(())
}

/// Stops all that the state knows.
pub async fn stop(folder: &Folder, state: &mut State) -> anyhow::Result<()> {
    for process in [state.demo.take(), state.texthub.take()].into_iter().flatten() {
        process.stop(DRAIN).await;
    }
    rabbitmq::stop(state).await;
    if state.given_database_url.is_none() && state.postgres_port != 0 {
        Postgres::find(folder)?.stop()?;
    }
    folder.keep(state)
}

/// Stops what was started here; a stack that stood before goes on.
async fn fall(folder: &Folder, state: &mut State, started: &Started) -> anyhow::Result<()> {
    if started.texthub
        && let Some(texthub) = state.texthub.take()
    {
        texthub.stop(DRAIN).await;
    }
    if started.rabbitmq {
        rabbitmq::stop(state).await;
    }
    if started.postgres {
        Postgres::find(folder)?.stop()?;
    }
    folder.keep(state)
}

/// The demonstration, or with `--no-demo` the view alone, until it ends or the stack does.
async fn play(state: &State, how: &Up, stop: &CancellationToken) -> anyhow::Result<()> {
    let what = if how.no_demo { "watch" } else { "demo" };
    let mut child = Command::new(std::env::current_exe()?).arg(what).envs(settings(state)).spawn()?;
    let ended = async {
        while state.texthub.is_some_and(Pid::is_alive) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let status = tokio::select! {
        status = child.wait() => status?,
        () = stop.cancelled() => told(&mut child).await?,
        () = ended => {
            told(&mut child).await?;
            bail!("texthub ended on its own; `./dev logs` tells why");
        }
    };
    ensure!(status.success() || stop.is_cancelled(), "texthub {what} failed");
    Ok(())
}

/// Asks the view to end, and awaits it.
async fn told(child: &mut Child) -> anyhow::Result<std::process::ExitStatus> {
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if let Ok(status) = tokio::time::timeout(Duration::from_secs(10), child.wait()).await {
        return Ok(status?);
    }
    child.kill().await?;
    Ok(child.wait().await?)
}

/// Settings of texthub's processes.
pub fn settings(state: &State) -> Vec<(&'static str, String)> {
    vec![
        ("TEXTHUB_DATABASE_URL", state.database_url()),
        ("TEXTHUB_AMQP_URL", state.amqp_url()),
        ("TEXTHUB_HTTP_LISTEN", format!("127.0.0.1:{}", state.http_port)),
        ("TEXTHUB_SIMULATOR_LISTEN", format!("127.0.0.1:{}", state.simulator_port)),
        ("TEXTHUB_SIMULATOR_URL", state.simulator_url()),
    ]
}

/// Runs this program with a command, quietly unless it fails.
async fn command(state: &State, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?).args(arguments).envs(settings(state)).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "texthub {} failed: {}", arguments.join(" "), said.trim());
    Ok(())
}

async fn ready(folder: &Folder, state: &State) -> anyhow::Result<()> {
    let (http, watch) = (reqwest::Client::new(), Stopwatch::start());
    loop {
        let answer = http.get(format!("{}/readyz", state.http_url())).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        let log = folder.log("texthub");
        ensure!(state.texthub.is_some_and(Pid::is_alive), "texthub ended; its log is {}", log.display());
        ensure!(watch.elapsed() < Duration::from_secs(60), "texthub does not get ready; its log is {}", log.display());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Does a step with a moving sign and the time it took.
async fn step<T>(what: &str, doing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let watch = Stopwatch::start();
    let bar = if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")?;
        let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    } else {
        ProgressBar::hidden()
    };
    let done = doing.await;
    bar.finish_and_clear();
    if done.is_ok() {
        eprintln!("{what:<10} ready in {:.1} s", watch.elapsed().as_secs_f64());
    }
    done
}

fn end_on_signal(stop: &CancellationToken) -> anyhow::Result<()> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hup = signal(SignalKind::hangup())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = int.recv() => {}, _ = term.recv() => {}, _ = hup.recv() => {} }
        stop.cancel();
    });
    Ok(())
}
