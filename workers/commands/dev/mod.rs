//! `texthub dev`: a whole stack on this machine, with a private Postgres and a private `RabbitMQ`; `./dev` at the root
//! of the project calls it. For development, tests and a first look; a real installation runs its own servers.

mod folder;
mod people;
mod postgres;
mod process;
mod rabbitmq;
mod status;
mod up;

use std::fmt::Write;
use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use folder::Folder;

/// What is to be done with the stack.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Where the stack's data, logs and state are.
    #[arg(long, global = true, default_value = ".texthub")]
    folder: PathBuf,
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Start what is missing, and play the demonstration until Ctrl-C.
    Up(Up),
    /// Stop everything that runs.
    Down {
        /// Remove the data, too.
        #[arg(long)]
        wipe: bool,
    },
    /// Say what runs; status 1 when something does not.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the end of the logs.
    Logs {
        /// Go on as they grow.
        #[arg(short, long)]
        follow: bool,
    },
    /// Print `export NAME=value` lines for other programs.
    Env,
}

/// How the stack comes up.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command")]
#[derive(Args, Clone, Debug)]
pub struct Up {
    /// Return when it is ready; `down` ends it.
    #[arg(long)]
    detach: bool,
    /// No simulated people: the stack alone, idle, for other programs to drive.
    #[arg(long)]
    no_demo: bool,
    /// Only Postgres and `RabbitMQ`; implies --detach.
    #[arg(long)]
    servers: bool,
    /// Data need not survive a power cut: for tests alone.
    #[arg(long)]
    volatile: bool,
}

/// Does it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let folder = Folder::open(&asked.folder)?;
    match &asked.command {
        What::Up(how) => up::run(&folder, how).await,
        What::Down { wipe } => down(&folder, *wipe).await,
        What::Status { json } => status::run(&folder, *json).await,
        What::Logs { follow } => status::logs(&folder, *follow),
        What::Env => status::env(&folder),
    }
}

async fn down(folder: &Folder, is_wiping: bool) -> anyhow::Result<()> {
    let lock = folder.lock()?;
    match folder.state() {
        Ok(Some(mut state)) => up::stop(folder, &mut state).await?,
        Ok(None) => {}
        Err(error) if is_wiping => eprintln!("{error:#}"),
        Err(error) => return Err(error),
    }
    if is_wiping {
        let elsewhere = std::fs::read_link(folder.path.join("postgres"));
        drop(lock);
        if let Ok(elsewhere) = elsewhere {
            std::fs::remove_dir_all(elsewhere)?;
        }
        for part in ["postgres", "rabbitmq", "logs", "simulator"] {
            let path = folder.path.join(part);
            if path.is_symlink() {
                std::fs::remove_file(path)?;
            } else if path.exists() {
                std::fs::remove_dir_all(path)?;
            }
        }
        let _ = std::fs::remove_file(folder.path.join("state.json"));
    }
    println!("{}", if is_wiping { "stopped; its data is gone" } else { "stopped" });
    Ok(())
}

/// Letters and digits that nobody can guess.
fn secret() -> String {
    let mut bytes = [0; 16];
    // a machine without /dev/urandom gives no secret, and the empty one is refused by the servers
    let _ = std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
