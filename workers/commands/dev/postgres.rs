//! A private Postgres: on loopback, with a password made here, in a folder of its own. Postgres refuses to run as root,
//! so root hands it to the user `postgres` that Debian's package makes. Durable, unless it was made for tests.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::folder::{Folder, State, free_ports, is_free};

/// The server's programs and data.
pub struct Postgres {
    bin: PathBuf,
    data: PathBuf,
    log: PathBuf,
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// Finds the programs and the place of the data.
    pub fn find(folder: &Folder) -> anyhow::Result<Self> {
        let user = if rustix::process::geteuid().is_root() { Some(account("postgres")?) } else { None };
        let home = home(folder, user)?;
        let data = home.join("data");
        let version = std::fs::read_to_string(data.join("PG_VERSION")).ok().map(|v| v.trim().to_owned());
        Ok(Self { bin: programs(version.as_deref())?, log: home.join("postgres.log"), data, user })
    }

    /// Whether it runs.
    pub fn pid(&self) -> Option<i32> {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        let pid: i32 = file.lines().next()?.trim().parse().ok()?;
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        command.contains(&*self.data.to_string_lossy()).then_some(pid)
    }

    /// Makes the cluster unless it is there, and starts the server unless it runs.
    pub fn start(&self, state: &mut State, is_volatile: bool) -> anyhow::Result<()> {
        if self.pid().is_some() {
            return Ok(());
        }
        if !self.data.join("PG_VERSION").exists() {
            self.make(&state.password)?;
        }
        if state.postgres_port == 0 || !is_free(state.postgres_port) {
            state.postgres_port = free_ports(1)?[0];
        }
        let durability =
            if is_volatile { "-c fsync=off -c synchronous_commit=off -c full_page_writes=off" } else { "" };
        // the socket's path has a limit of 107 bytes, a checkout's path has none: TCP alone
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
             -c shared_buffers=256MB -c max_wal_size=2GB {durability}",
            state.postgres_port
        );
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(&self.data).args(["-w", "-t", "60", "-l"]).arg(&self.log).args(["-o", &options, "start"]);
        run(command).with_context(|| format!("Postgres did not start; its log is {}", self.log.display()))
    }

    /// Ends it.
    pub fn stop(&self) -> anyhow::Result<()> {
        if self.pid().is_none() {
            return Ok(());
        }
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(&self.data).args(["-w", "-t", "60", "-m", "fast", "stop"]);
        run(command).with_context(|| format!("Postgres did not stop; its log is {}", self.log.display()))
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    fn make(&self, password: &str) -> anyhow::Result<()> {
        let secret = self.data.with_file_name("password");
        std::fs::write(&secret, password)?;
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        if let Some((uid, gid)) = self.user {
            chown(&secret, Some(uid), Some(gid))?;
        }
        let mut command = self.command("initdb");
        command.arg("-D").arg(&self.data).args([
            "-U",
            "texthub",
            "--auth=scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]);
        command.arg(format!("--pwfile={}", secret.display()));
        let made = run(command).context("Postgres' initdb failed");
        std::fs::remove_file(&secret)?;
        made
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        if let Some(home) = self.data.parent() {
            command.current_dir(home);
        }
        command
    }
}

/// Creates the database `texthub` unless it is there.
pub async fn create_database(state: &State) -> anyhow::Result<()> {
    let url = state.database_url();
    let server = url.strip_suffix("/texthub").map(|server| format!("{server}/postgres")).unwrap_or(url);
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    if client.query_opt("select from pg_database where datname = 'texthub'", &[]).await?.is_none() {
        client.batch_execute("create database texthub").await?;
    }
    drop(client);
    connection.await??;
    Ok(())
}

/// Where data and log live: within the folder, or, when root's checkout cannot be entered by the server's user, in
/// /var/lib with a link in the folder.
fn home(folder: &Folder, user: Option<(u32, u32)>) -> anyhow::Result<PathBuf> {
    let home = folder.path.join("postgres");
    if let Ok(link) = std::fs::read_link(&home) {
        std::fs::create_dir_all(&link)?;
        return Ok(link);
    }
    let Some((uid, gid)) = user else {
        std::fs::create_dir_all(&home)?;
        return Ok(home);
    };
    let can_enter = folder.path.ancestors().all(|above| above.metadata().is_ok_and(|m| m.mode() & 0o001 != 0));
    if can_enter {
        std::fs::create_dir_all(&home)?;
        chown(&home, Some(uid), Some(gid))?;
        return Ok(home);
    }
    let elsewhere = PathBuf::from(format!("/var/lib/texthub-dev-{}", folder.word()));
    std::fs::create_dir_all(&elsewhere)?;
    chown(&elsewhere, Some(uid), Some(gid))?;
    std::os::unix::fs::symlink(&elsewhere, &home)?;
    eprintln!("postgres: its user cannot enter this checkout; the data is in {}", elsewhere.display());
    Ok(elsewhere)
}

/// The newest version, or the one that made the data.
fn programs(version: Option<&str>) -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    if let Some(version) = version {
        let Some(same) = found.iter().find(|(v, _)| v.to_string() == version) else {
            bail!(
                "the data was made by Postgres {version}, which is not installed; install it, or `./dev down --wipe`"
            );
        };
        return Ok(same.1.clone());
    }
    let newest =
        found.pop().context("Postgres is not installed; `./dev up` installs it, or: apt-get install postgresql")?;
    ensure!(newest.0 >= 15, "Postgres {} is too old; texthub needs 15 or newer", newest.0);
    Ok(newest.1)
}

fn account(name: &str) -> anyhow::Result<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name));
    let line =
        line.with_context(|| format!("there is no user {name}; `./dev up` installs Postgres, which makes it"))?;
    let fields: Vec<&str> = line.split(':').collect();
    Ok((fields[2].parse()?, fields[3].parse()?))
}

fn run(mut command: Command) -> anyhow::Result<()> {
    // pg_ctl's server would hold a pipe open for ever: output goes to a file
    let out = std::env::temp_dir().join(format!("texthub-pg-{}", std::process::id()));
    let file = std::fs::File::create(&out)?;
    let status = command.stdin(std::process::Stdio::null()).stdout(file.try_clone()?).stderr(file).status()?;
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    ensure!(status.success(), "{}", said.trim());
    Ok(())
}
