//! The folder of a development stack (`.texthub/`, git-ignored): data, logs, and a state file that says what runs on
//! which port. The state holds passwords made on this machine and can be read by its owner alone. One command at a time
//! changes it: the lock file sees to that.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::process::Pid;

/// What is known of the stack.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Of both private servers.
    pub password: String,
    /// Postgres was named by the environment: this is its URL.
    pub given_database_url: Option<String>,
    /// `RabbitMQ` was named by the environment: this is its URL.
    pub given_amqp_url: Option<String>,
    /// Of the private Postgres.
    pub postgres_port: u16,
    /// Of the private `RabbitMQ`.
    pub amqp_port: u16,
    /// Of its management API.
    pub amqp_api_port: u16,
    /// Of its distribution protocol, on loopback alone.
    pub amqp_dist_port: u16,
    /// Of texthub's health and metrics.
    pub http_port: u16,
    /// Of the carrier simulator.
    pub simulator_port: u16,
    /// The private broker.
    pub rabbitmq: Option<Pid>,
    /// `texthub run all`.
    pub texthub: Option<Pid>,
    /// The demonstration in the background.
    pub demo: Option<Pid>,
    /// Passwords of the example's users, by their slugs.
    #[serde(default)]
    pub sign_ins: BTreeMap<String, String>,
}

impl State {
    /// Postgres.
    pub fn database_url(&self) -> String {
        self.given_database_url.clone().unwrap_or_else(|| self.private_database_url())
    }

    /// `RabbitMQ`.
    pub fn amqp_url(&self) -> String {
        self.given_amqp_url.clone().unwrap_or_else(|| self.private_amqp_url())
    }

    /// The private Postgres.
    pub fn private_database_url(&self) -> String {
        format!("postgres://texthub:{}@127.0.0.1:{}/texthub", self.password, self.postgres_port)
    }

    /// The private `RabbitMQ`.
    pub fn private_amqp_url(&self) -> String {
        format!("amqp://texthub:{}@127.0.0.1:{}/%2f", self.password, self.amqp_port)
    }

    /// The management API of the private broker.
    pub fn amqp_api_url(&self) -> Option<String> {
        let ours = || format!("http://texthub:{}@127.0.0.1:{}", self.password, self.amqp_api_port);
        self.given_amqp_url.is_none().then(ours)
    }

    /// Health and metrics.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// The carrier simulator.
    pub fn simulator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.simulator_port)
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Absolute.
    pub path: PathBuf,
}

impl Folder {
    /// Opens it, made when missing.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path.join("logs"))
            .with_context(|| format!("cannot make the folder {}; is this checkout writable?", path.display()))?;
        Ok(Self { path: path.canonicalize()? })
    }

    /// Waits until no other command works on the stack; held until dropped.
    pub fn lock(&self) -> anyhow::Result<File> {
        let file = File::create(self.path.join("lock"))?;
        if file.try_lock().is_err() {
            eprintln!("another ./dev command is at work on this stack; waiting for it");
            file.lock()?;
        }
        Ok(file)
    }

    /// What is known; `None` before the first `up`.
    pub fn state(&self) -> anyhow::Result<Option<State>> {
        let path = self.path.join("state.json");
        match std::fs::read(&path) {
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).with_context(|| {
                    format!("{} cannot be read; `./dev down --wipe` starts afresh", path.display())
                })?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Keeps what is known.
    pub fn keep(&self, state: &State) -> anyhow::Result<()> {
        let (path, draft) = (self.path.join("state.json"), self.path.join("state.json.draft"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(state)?)?;
        std::fs::rename(draft, path)?;
        Ok(())
    }

    /// A log's file.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// A short word of this folder's own, for names that are shared by the machine.
    pub fn word(&self) -> String {
        Sha256::digest(self.path.as_os_str().as_encoded_bytes())[..4]
            .iter()
            .fold(String::new(), |word, byte| word + &format!("{byte:02x}"))
    }
}

/// `count` ports that nobody listens on now.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Whether nobody listens there.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
