//! Kannel: its bearerbox with a fake SMSC, its smsbox, and the phones behind that SMSC, which its `fakesmsc` stands for.
//! All on loopback, on ports that are free, in a folder of the test's own.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::stack::{Stack, free_port, until};

const FAKESMSC: &str = "/usr/lib/kannel/test/fakesmsc";
/// Of the `sendsms-user` hub.
pub const PASSWORD: &str = "a-password-of-kannels";
/// By which Kannel signs in.
pub const TOKEN: &str = "a-token_of.ours~1";

/// A stranger's program; killed with the value.
pub struct Program(Child);

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}; `./dev test --long strangers` installs it")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both boxes run.
pub struct Kannel {
    folder: String,
    smsc: u16,
    _smsbox: Program,
    _bearerbox: Program,
}

impl Kannel {
    /// Starts it: texts go to this hub's connection of that id, and come by this port.
    pub async fn start(stack: &Stack, hub: &str, id: &str, sendsms: u16) -> Self {
        let smsc = free_port();
        let hub = hub.replacen("://", &format!("://{id}:{TOKEN}@"), 1);
        let service =
            format!("get-url = \"{hub}/webhooks/{id}?id=%I&from=%p&to=%P&at=%T&charset=%C&udh=%u&smsc=%i&text=%b\"\n");
        let fake = format!("smsc = fake\nsmsc-id = FAKE\nport = {smsc}\nconnect-allow-ip = 127.0.0.1\n");
        Self::run(stack, &fake, &service, sendsms, smsc).await
    }

    /// Starts it before an SMSC at this port: texts come by the other one.
    pub async fn before(stack: &Stack, sendsms: u16, smsc: u16, window: usize) -> Self {
        let bind = format!(
            "smsc = smpp\nsmsc-id = NPM\nhost = 127.0.0.1\nport = {smsc}\nsmsc-username = kannel\nsmsc-password = secret\n\
             system-type = \"\"\ntransceiver-mode = true\nmax-pending-submits = {window}\n"
        );
        Self::run(stack, &bind, "text = none\n", sendsms, smsc).await
    }

    async fn run(stack: &Stack, bind: &str, service: &str, sendsms: u16, smsc: u16) -> Self {
        let folder = stack.folder("kannel");
        let [admin, boxes] = [free_port(), free_port()];
        let file = stack.file(
            "kannel/kannel.conf",
            &format!(
                "group = core\nadmin-interface = 127.0.0.1\nadmin-port = {admin}\nadmin-password = a\n\
                 smsbox-interface = 127.0.0.1\nsmsbox-port = {boxes}\nbox-deny-ip = \"*.*.*.*\"\nbox-allow-ip = 127.0.0.1\n\
                 log-file = {folder}/bearerbox.txt\nlog-level = 1\naccess-log = {folder}/access.txt\n\
                 dlr-storage = internal\nstore-type = file\nstore-location = {folder}/store\n\n\
                 group = smsc\n{bind}\n\
                 group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\nsendsms-interface = 127.0.0.1\n\
                 sendsms-port = {sendsms}\nsendsms-chars = \"0123456789+\"\nlog-file = {folder}/smsbox.txt\nlog-level = 1\n\
                 mo-recode = true\nhttp-request-retry = 1000\nhttp-queue-delay = 1\n\n\
                 group = sendsms-user\nusername = hub\npassword = {PASSWORD}\nmax-messages = 10\nconcatenation = true\n\
                 user-allow-ip = 127.0.0.1\n\n\
                 group = sms-service\nkeyword = default\ncatch-all = true\nmax-messages = 0\nomit-empty = true\n{service}"
            ),
        );
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.args(["-v", "4", &file]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            Program::start(&mut command)
        };
        let bearerbox = start("/usr/sbin/bearerbox");
        listens(boxes).await;
        let smsbox = start("/usr/sbin/smsbox");
        listens(sendsms).await;
        Self { folder, smsc, _smsbox: smsbox, _bearerbox: bearerbox }
    }

    /// Phones that send so many of these texts (`from to kind text`), each so many seconds after the one before; with
    /// a number at its end where each is to be another.
    pub fn phones(&self, count: usize, every_s: &str, are_numbered: bool, texts: &[&str]) -> Phones {
        let log = format!("{}/phones.txt", self.folder);
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let (port, count) = (self.smsc.to_string(), count.to_string());
        let mut command = Command::new(FAKESMSC);
        command.args(["-H", "127.0.0.1", "-r", &port, "-i", every_s, "-m", &count]);
        if are_numbered {
            command.args(["-z", "4"]);
        }
        command.args(texts).stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        Phones { log, _fakesmsc: Program::start(&mut command) }
    }

    /// The texts that Kannel took of phones, sorted.
    pub fn taken(&self) -> Vec<String> {
        let log = std::fs::read_to_string(format!("{}/access.txt", self.folder)).unwrap_or_default();
        let texts = log.lines().filter(|line| line.contains(" Receive SMS [SMSC:FAKE]")).filter_map(|line| {
            let (_, message) = line.split_once(" [msg:")?;
            Some(message.split_once(':')?.1.split_once("] [udh:")?.0.to_owned())
        });
        let mut texts: Vec<String> = texts.collect();
        texts.sort();
        texts
    }
}

/// Phones of the fake SMSC; they are gone with the value.
pub struct Phones {
    log: String,
    _fakesmsc: Program,
}

impl Phones {
    /// Whether so many runs of `fakesmsc` have sent something.
    pub fn has_sent(&self, runs: usize) -> bool {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).matches(": sent message 1\n").count() >= runs
    }

    /// What they got, as `fakesmsc` writes it: `from to kind text`.
    pub fn got(&self) -> Vec<String> {
        let log = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned();
        let told = log.lines().filter_map(|line| line.split_once("Got message ")?.1.split_once(": <"));
        told.map(|(_, text)| text.trim_end_matches('>').to_owned()).collect()
    }
}

pub async fn listens(port: u16) {
    until("a stranger's program listens", async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
}
