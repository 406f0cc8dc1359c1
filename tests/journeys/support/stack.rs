//! A stack of a test's own: database, vhost, ports, and processes of the real binary that can be killed. The servers are
//! the ones that `TEXTHUB_DATABASE_URL`, `TEXTHUB_AMQP_URL` and `TEXTHUB_AMQP_API_URL` name. All goes with the value.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Url};
use serde_json::json;
use texthub::amqp::connection::Link;
use texthub::amqp::publisher::Publisher;
use uuid::Uuid;

use super::database::Database;
use super::desk::Desk;
use super::servers::Servers;

/// How long anything may take to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The key of forgotten customers, of every process and of the tests themselves.
pub const CONSENT_KEY: &str = "a key for tests alone";

/// Database, vhost and folder.
pub struct Stack {
    /// Migrated.
    pub database: Database,
    /// Of the vhost.
    pub amqp_url: String,
    /// Where the simulator listens, once it runs.
    pub simulator_url: String,
    /// For HTTP of any kind.
    pub http: Client,
    /// P, as processes are told it.
    pub partitions: u32,
    /// Private networks that webhooks may call.
    pub webhook_private: &'static str,
    /// Other settings of processes.
    pub settings: Vec<(&'static str, String)>,
    /// Under which carriers call; empty: not set.
    pub public_url: String,
    folder: PathBuf,
    simulator_port: u16,
    vhost: String,
}

impl Stack {
    /// Makes them; no process runs yet.
    pub async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (database, http) = (Database::new().await, Client::new());
        let vhost = format!("texthub_test_{}", Uuid::new_v4().simple());
        api(&http, Method::PUT, &format!("vhosts/{vhost}"), json!({})).await;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let mut url = Url::parse(&setting("TEXTHUB_AMQP_URL")).unwrap();
        let user = url.username().to_owned();
        api(&http, Method::PUT, &format!("permissions/{vhost}/{user}"), all).await;
        url.set_path(&vhost);
        Self::of(database, url.to_string(), http, vhost)
    }

    /// On servers of its own, which it may kill; they go before it.
    pub async fn on(servers: &Servers) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::at(&servers.setting("TEXTHUB_DATABASE_URL")).await;
        Self::of(database, servers.setting("TEXTHUB_AMQP_URL"), Client::new(), String::new())
    }

    fn of(database: Database, amqp_url: String, http: Client, vhost: String) -> Self {
        let folder = std::env::temp_dir().join(format!("texthub_test_{}", Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let simulator_port = free_port();
        let simulator_url = format!("http://127.0.0.1:{simulator_port}");
        let (partitions, webhook_private) = (4, "");
        let (public_url, settings) = (String::new(), Vec::new());
        #[rustfmt::skip]
        let stack = Self { database, amqp_url, simulator_url, http, partitions, webhook_private, settings, public_url, folder, simulator_port, vhost };
        stack
    }

    /// Starts a process with these roles and awaits that it is ready.
    pub async fn start(&self, roles: &[&str]) -> Process {
        let process = self.spawn(roles);
        until("the process is ready", async || self.is_ready(&process).await).await;
        process
    }

    /// Whether a process consumes.
    pub async fn is_ready(&self, process: &Process) -> bool {
        let ready = format!("http://127.0.0.1:{}/readyz", process.port);
        self.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Starts a process with these roles.
    pub fn spawn(&self, roles: &[&str]) -> Process {
        self.spawn_armed(roles, "")
    }

    /// Starts a process with these roles that ends itself at this point (`worker:point[:n]`), if any.
    pub fn spawn_armed(&self, roles: &[&str], crash_at: &str) -> Process {
        let port = free_port();
        let log = self.folder.join(format!("{}-{port}.log", roles.join("-")));
        let child = Command::new(program())
            .arg("run")
            .args(roles)
            .env("TEXTHUB_DATABASE_URL", &self.database.url)
            .env("TEXTHUB_AMQP_URL", &self.amqp_url)
            .env("TEXTHUB_HTTP_LISTEN", format!("127.0.0.1:{port}"))
            .env("TEXTHUB_SIMULATOR_LISTEN", format!("127.0.0.1:{}", self.simulator_port))
            .env("TEXTHUB_SIMULATOR_URL", &self.simulator_url)
            .env("TEXTHUB_SIMULATOR_RECORD", self.folder.join("simulator"))
            .env("TEXTHUB_PARTITIONS", self.partitions.to_string())
            .env("TEXTHUB_WEBHOOK_PRIVATE", self.webhook_private)
            .env("TEXTHUB_PUBLIC_URL", &self.public_url)
            .env("TEXTHUB_CONSENT_KEY", CONSENT_KEY)
            .env("TEXTHUB_CRASH_AT", crash_at)
            .envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Process { child, port }
    }

    /// Runs a command of the binary to its end.
    pub fn command(&self, arguments: &[&str]) -> Said {
        self.command_with(arguments, "")
    }

    /// Runs a command that is told another number of partitions.
    pub fn command_with_partitions(&self, arguments: &[&str], partitions: u32) -> Said {
        self.run(Command::new(program()).args(arguments).env("TEXTHUB_PARTITIONS", partitions.to_string()), "")
    }

    /// Every line of JSON that processes logged so far.
    pub fn spans(&self) -> Vec<serde_json::Value> {
        self.logs().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Runs a command of the binary to its end, with this on its standard input.
    pub fn command_with(&self, arguments: &[&str], input: &str) -> Said {
        self.run(Command::new(program()).args(arguments), input)
    }

    fn run(&self, command: &mut Command, input: &str) -> Said {
        let mut child = self.begin(command);
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        Said::by(child)
    }

    /// Runs a command of little output beside the test, which goes on.
    pub async fn command_beside(&self, arguments: &[&str], patience: Duration) -> Said {
        let mut child = self.begin(Command::new(program()).args(arguments));
        until_within(arguments[0], patience, async || child.try_wait().unwrap().is_some()).await;
        Said::by(child)
    }

    fn begin(&self, command: &mut Command) -> Child {
        command
            .env("TEXTHUB_DATABASE_URL", &self.database.url)
            .env("TEXTHUB_AMQP_URL", &self.amqp_url)
            .env("TEXTHUB_CONSENT_KEY", CONSENT_KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Everybody outside the hub, from now on.
    pub async fn desk(&self, tenant: &str) -> Desk {
        Desk::open(&self.amqp_url, tenant).await
    }

    /// A file of this test's own.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A folder of this test's own.
    pub fn folder(&self, name: &str) -> String {
        let path = self.folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What all processes of this stack have logged so far.
    pub fn logs(&self) -> String {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
        logs.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }

    /// The dead letters once there are so many: message id and reason, by time.
    pub async fn dead(&self, count: usize) -> Vec<(String, String)> {
        let mut found = Vec::new();
        until("dead letters are in the table", async || {
            let client = self.database.pool.get().await.unwrap();
            let rows = client
                .query("select coalesce(message_id, ''), reason from dead_letters order by set_aside_at, id", &[])
                .await
                .unwrap();
            found = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            found.len() >= count
        })
        .await;
        found
    }

    /// Cuts the connections to the broker of processes of this name.
    pub async fn cut_links(&self, name: &str) {
        let base = setting("TEXTHUB_AMQP_API_URL");
        let base = base.trim_end_matches('/');
        let mine = async || -> Vec<String> {
            let url = format!("{base}/api/vhosts/{}/connections", self.vhost);
            let all: serde_json::Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
            let named =
                |c: &&serde_json::Value| c["user_provided_name"].as_str().is_some_and(|given| given.starts_with(name));
            let all = all.as_array().cloned().unwrap_or_default();
            all.iter().filter(named).map(|c| c["name"].as_str().unwrap().to_owned()).collect()
        };
        until("the broker knows them", async || !mine().await.is_empty()).await;
        for connection in mine().await {
            let mut url = Url::parse(&format!("{base}/api/connections")).unwrap();
            url.path_segments_mut().unwrap().push(&connection);
            let _ = self.http.delete(url).send().await;
        }
    }

    /// A publisher on this vhost; the topology is there once a process was ready.
    pub async fn publisher(&self) -> Publisher {
        Publisher::open(&Link::connect(&self.amqp_url, "texthub test").await.unwrap()).await.unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let path = format!("vhosts/{}", self.vhost);
        if !self.vhost.is_empty() {
            let gone = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { api(&Client::new(), Method::DELETE, &path, json!({})).await });
            });
            let _ = gone.join();
        }
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// What a command said, and its exit status.
pub struct Said {
    /// Exit status; none when it was killed.
    pub code: Option<i32>,
    /// On its standard output.
    pub out: String,
    /// On its standard error.
    pub err: String,
}

impl Said {
    fn by(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It went well: its output.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// It was refused with this status: its words.
    #[track_caller]
    pub fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}

/// A process of the binary; killed with the value.
pub struct Process {
    child: Child,
    port: u16,
}

impl Process {
    /// SIGKILL, and gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM: it ends by itself, in order, while the test goes on.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// It has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// It has ended by itself: its signal.
    pub fn signal(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().and_then(|status| status.signal())
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The binary that cargo built for the journeys; worker tests stand within it and start no other.
pub fn program() -> &'static str {
    let Some(program) = option_env!("CARGO_BIN_EXE_texthub") else { panic!("only journeys start processes") };
    program
}

/// Awaits that something holds, looking again and again.
pub async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    until_within(what, PATIENCE, holds).await;
}

/// The same with another patience.
pub async fn until_within(what: &str, patience: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while !holds().await {
        assert!(started.elapsed() < patience, "not within {patience:?}: {what}");
        looks.tick().await;
    }
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}; `./dev test` sets it"))
}

/// The management API of the test broker; user and password stand in its URL.
async fn api(http: &Client, method: Method, path: &str, body: serde_json::Value) {
    let base = setting("TEXTHUB_AMQP_API_URL");
    let url = format!("{}/api/{path}", base.trim_end_matches('/'));
    let answer = http.request(method, url).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
