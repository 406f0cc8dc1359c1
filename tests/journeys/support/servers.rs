//! A private, durable pair of Postgres and RabbitMQ, by `texthub dev`: for tests that kill the broker. Wiped with the
//! value.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use uuid::Uuid;

use super::stack::{PATIENCE, program};

/// They run.
pub struct Servers {
    folder: PathBuf,
    settings: String,
}

impl Servers {
    /// Starts them.
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("texthub_servers_{}", Uuid::new_v4().simple()));
        let mut servers = Self { folder, settings: String::new() };
        servers.start_again();
        servers.settings = servers.dev(&["env"]);
        servers
    }

    /// Starts what does not run.
    pub fn start_again(&self) {
        self.dev(&["up", "--servers"]);
    }

    /// One of the settings that `texthub dev env` prints.
    pub fn setting(&self, name: &str) -> String {
        let lines = self.settings.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let found = lines.into_iter().find(|line| line.0 == name);
        found.unwrap_or_else(|| panic!("{name} is not among {}", self.settings)).1.trim_matches('\'').to_owned()
    }

    /// SIGKILL to the broker, and gone.
    pub fn kill_broker(&self) {
        let state = std::fs::read(self.folder.join("state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        let pid = i32::try_from(state["rabbitmq"]["pid"].as_i64().unwrap()).unwrap();
        kill_process_group(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    /// SIGKILL to Postgres; what it had started ends by itself.
    pub fn kill_postgres(&self) {
        let file = std::fs::read_to_string(self.folder.join("postgres/data/postmaster.pid")).unwrap();
        let pid = file.lines().next().and_then(|pid| pid.trim().parse().ok()).and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }

    /// Starts what was killed; tries again while something of it is still there.
    pub fn start_after_kill(&self) {
        let began = std::time::Instant::now();
        while !self.run(&["up", "--servers"]).status.success() {
            assert!(began.elapsed() < PATIENCE, "the servers do not start again");
        }
    }

    fn dev(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "dev {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .arg("dev")
            .arg("--folder")
            .arg(&self.folder)
            .args(arguments)
            .env_remove("TEXTHUB_DATABASE_URL")
            .env_remove("TEXTHUB_AMQP_URL")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.run(&["down", "--wipe"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
