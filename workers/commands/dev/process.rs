//! Processes that outlive the command that started them: started in a session of their own with output to a log,
//! recognised again by pid and start time (a pid alone may be somebody else's by now), stopped by SIGTERM and, after a
//! while, by SIGKILL to the whole group.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

/// A process of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pid {
    /// Process and group.
    pub pid: i32,
    /// In clock ticks since boot, from /proc.
    pub started: u64,
}

impl Pid {
    /// Starts a program with the environment that it was given, in a session of its own.
    pub fn start(program: &Path, prepare: impl FnOnce(&mut Command), log: &Path) -> anyhow::Result<Self> {
        let out = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new("setsid");
        command.arg(program);
        prepare(&mut command);
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = i32::try_from(child.id())?;
        // a zombie would look alive: somebody has to await it while this command lives
        std::thread::spawn(move || {
            let mut child = child;
            let _ = child.wait();
        });
        let started =
            started(pid).with_context(|| format!("{} ended at once; see {}", program.display(), log.display()))?;
        Ok(Self { pid, started })
    }

    /// Whether it lives.
    pub fn is_alive(self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Asks it to end and awaits that; kills the group when it takes longer than `patience`.
    pub async fn stop(self, patience: Duration) {
        let Some(pid) = rustix::process::Pid::from_raw(self.pid) else { return };
        if self.is_alive() {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while self.is_alive() && asked.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if self.is_alive() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        while self.is_alive() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Field 22 of /proc/PID/stat, unless it is gone or a zombie (proc(5)).
fn started(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_recognised_and_stopped() {
        let folder = std::env::temp_dir().join(format!("texthub-{}", std::process::id()));
        let process = Pid::start(Path::new("sleep"), |c| _ = c.arg("600"), &folder.with_extension("log")).unwrap();
        assert!(process.is_alive());
        assert!(!Pid { started: process.started + 1, ..process }.is_alive(), "the same pid of another process");
        process.stop(Duration::from_secs(5)).await;
        assert!(!process.is_alive());
        std::fs::remove_file(folder.with_extension("log")).unwrap();
    }
}
