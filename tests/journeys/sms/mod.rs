//! Texts out: consent, sending, receipts.

mod applications;
mod consent;
mod leaves_once;
mod media;
mod proof;
mod quiet_hours;
mod smpp;
mod twilio;
mod vendors;

pub use smpp::smsc::{CARRIER, Smsc, apply as apply_smsc, bears, reaches, state};

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A program of scripts/carriers that speaks as a carrier does: it is asked by lines of JSON, and answers each by a line.
struct Stranger {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Stranger {
    fn start(program: &str, script: &str) -> Self {
        Self::told(program, script, &[])
    }

    /// With arguments.
    fn told(program: &str, script: &str, arguments: &[&str]) -> Self {
        let script = format!("{}/scripts/carriers/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(program);
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    fn python(script: &str) -> Self {
        Self::start(&std::env::var("TEXTHUB_PYTHON").expect("TEXTHUB_PYTHON; `./dev test` sets it"), script)
    }

    /// What it says next.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the stranger is gone; its own words are above");
        line.trim().to_owned()
    }

    /// Its answer.
    fn ask(&mut self, asked: &serde_json::Value) -> String {
        writeln!(self.to, "{asked}").unwrap();
        self.line()
    }

    /// The status that the webhook answered.
    fn status(&mut self, asked: &serde_json::Value) -> u16 {
        let said = self.ask(asked);
        said.parse().unwrap_or_else(|_| panic!("the signer said {said:?}"))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
