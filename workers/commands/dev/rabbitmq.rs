//! A private `RabbitMQ`: on loopback, with a password made here, with the plugins that texthub needs, in a folder of its
//! own, and without the daemon epmd, which would outlive it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::folder::{Folder, State, free_ports, is_free};
use super::process::Pid;

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// Erlang starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether it runs.
pub fn is_alive(state: &State) -> bool {
    state.rabbitmq.is_some_and(Pid::is_alive)
}

/// Starts it unless it runs; it answers a little later.
pub fn start(folder: &Folder, state: &mut State) -> anyhow::Result<()> {
    if is_alive(state) {
        return Ok(());
    }
    ensure!(
        Path::new(SERVER).exists(),
        "RabbitMQ is not installed; `./dev up` installs it, or: apt-get install rabbitmq-server"
    );
    let home = folder.path.join("rabbitmq");
    for part in ["home", "data", "log"] {
        std::fs::create_dir_all(home.join(part))?;
    }
    let ports = [&mut state.amqp_port, &mut state.amqp_api_port, &mut state.amqp_dist_port];
    for (port, free) in ports.into_iter().zip(free_ports(3)?) {
        if *port == 0 || !is_free(*port) {
            *port = free;
        }
    }
    configure(&home, state)?;
    let node = format!("texthub_{}@localhost", folder.word());
    let dist = state.amqp_dist_port;
    let environment = [
        ("HOME", home.join("home")),
        ("RABBITMQ_CONF_ENV_FILE", home.join("env.conf")),
        ("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", home.join("data")),
        ("RABBITMQ_LOG_BASE", home.join("log")),
        ("RABBITMQ_PID_FILE", home.join("pid")),
        ("RABBITMQ_NODENAME", PathBuf::from(node)),
        ("RABBITMQ_DIST_PORT", PathBuf::from(dist.to_string())),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            PathBuf::from(format!(
                "-kernel inet_dist_use_interface {{127,0,0,1}} -start_epmd false -erl_epmd_port {dist}"
            )),
        ),
        ("RABBITMQ_CTL_ERL_ARGS", PathBuf::from(format!("-start_epmd false -erl_epmd_port {dist} -dist_listen false"))),
    ];
    let prepare = |command: &mut std::process::Command| _ = command.envs(environment).current_dir(&home);
    state.rabbitmq = Some(Pid::start(Path::new(SERVER), prepare, &log(folder))?);
    Ok(())
}

/// Awaits that it serves.
pub async fn answers(folder: &Folder, state: &State) -> anyhow::Result<()> {
    let api = state.amqp_api_url().context("not a private broker")?;
    let (http, began) = (reqwest::Client::new(), Instant::now());
    loop {
        let health = http.get(format!("{api}/api/health/checks/port-listener/{}", state.amqp_port)).send().await;
        if health.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        ensure!(is_alive(state), "RabbitMQ ended while it started; its log is {}", log(folder).display());
        ensure!(began.elapsed() < PATIENCE, "RabbitMQ does not answer; its log is {}", log(folder).display());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Ends it.
pub async fn stop(state: &mut State) {
    if let Some(process) = state.rabbitmq.take() {
        process.stop(Duration::from_secs(60)).await;
    }
}

/// Its log.
pub fn log(folder: &Folder) -> PathBuf {
    folder.log("rabbitmq")
}

fn configure(home: &Path, state: &State) -> anyhow::Result<()> {
    let mut conf = String::new();
    writeln!(conf, "listeners.tcp.default = 127.0.0.1:{}", state.amqp_port)?;
    writeln!(conf, "management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}", state.amqp_api_port)?;
    writeln!(conf, "default_user = texthub\ndefault_pass = {}\nloopback_users = none", state.password)?;
    // a machine of one developer: not 60 % of its memory, and no 500 MB of WAL for a few queues
    writeln!(conf, "disk_free_limit.absolute = 200MB\nvm_memory_high_watermark.absolute = 2GB")?;
    writeln!(
        conf,
        "raft.wal_max_size_bytes = 67108864\nlog.console = true\nlog.console.level = warning\nlog.file = false"
    )?;
    write_private(&home.join("rabbitmq.conf"), &conf)?;
    std::fs::write(home.join("env.conf"), "")?;
    std::fs::write(home.join("enabled_plugins"), "[rabbitmq_management,rabbitmq_consistent_hash_exchange].\n")?;
    let cookie = home.join("home/.erlang.cookie");
    if !cookie.exists() {
        write_private(&cookie, &super::secret())?;
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
