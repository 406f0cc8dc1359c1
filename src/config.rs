//! Every setting: name, default, meaning. The only reader of the environment; all mistakes are reported together, and
//! secrets do not print.

use crate::outside::addresses::Allowed;
use secrecy::{ExposeSecret, SecretString};

/// A setting as the README's table shows it: name, default (empty: none), meaning.
pub type Described = (&'static str, &'static str, &'static str);

/// All settings.
pub const SETTINGS: &[Described] = &[
    ("TEXTHUB_DATABASE_URL", "", "Postgres, as postgres://user:password@host:port/database; also as …_FILE"),
    ("TEXTHUB_AMQP_URL", "", "RabbitMQ, as amqp://user:password@host:port/vhost (amqps for TLS); also as …_FILE"),
    ("TEXTHUB_DATABASE_POOL", "8", "connections to Postgres per process, 2 to 100"),
    (
        "TEXTHUB_PARTITIONS",
        "4",
        "partitions of the conversation-keyed workers, fixed at the first start; 1 needs no plugin",
    ),
    (
        "TEXTHUB_HTTP_LISTEN",
        "127.0.0.1:8080",
        "address of /healthz, /readyz and /metrics, and of all that the gateway serves; port 0 takes a free one",
    ),
    (
        "TEXTHUB_PUBLIC_URL",
        "",
        "under which people and carriers call the gateway, as https://hub.example.com: signatures are checked over it",
    ),
    (
        "TEXTHUB_TRUSTED_PROXIES",
        "",
        "networks of the reverse proxies whose `X-Forwarded-For` is believed, as 10.0.0.0/8; otherwise none",
    ),
    ("TEXTHUB_SIMULATOR_LISTEN", "127.0.0.1:8081", "address of the carrier simulator's HTTP"),
    ("TEXTHUB_SIMULATOR_URL", "http://127.0.0.1:8081", "where send_sms finds the carrier simulator"),
    ("TEXTHUB_SIMULATOR_RECORD", ".texthub/simulator", "folder of the carrier simulator's record"),
    (
        "TEXTHUB_WEBHOOK_PRIVATE",
        "",
        "private networks that webhooks may call, and media and providers of sign-in may lie in, as 10.0.0.0/8,127.0.0.1; otherwise none",
    ),
    ("TEXTHUB_MEDIA_BYTES", "5242880", "largest medium of a customer's text that is stored, 1 to 52428800 bytes"),
    ("TEXTHUB_CONSENT_KEY", "", "secret under which forgotten customers' numbers are kept as hashes; also as …_FILE"),
    ("TEXTHUB_LOG", "info", "what is logged, as in `info,texthub=debug`"),
    ("TEXTHUB_LOG_FORMAT", "", "json or text; by default text on a terminal, else json"),
    ("TEXTHUB_CRASH_AT", "", "for tests: worker:point[:n], where the process ends at once"),
];

/// The settings of a process.
#[derive(Debug)]
pub struct Config {
    /// Postgres.
    pub database_url: SecretString,
    /// `RabbitMQ`.
    pub amqp_url: SecretString,
    /// Connections to Postgres.
    pub database_pool: usize,
    /// P.
    pub partitions: u32,
    /// Address of health and metrics.
    pub http_listen: String,
    /// Under which carriers call the gateway; without a slash at its end.
    pub public_url: String,
    /// Proxies whose word about a caller's address is taken.
    pub trusted_proxies: Allowed,
    /// Address of the simulator's HTTP.
    pub simulator_listen: String,
    /// Where to find the simulator.
    pub simulator_url: String,
    /// Folder of the simulator's record.
    pub simulator_record: String,
    /// Private networks that webhooks may call and media may lie in.
    pub webhook_private: Allowed,
    /// Largest medium, in bytes.
    pub media_bytes: usize,
    /// Of the hashes of forgotten customers; may be empty.
    pub consent_key: SecretString,
    /// Filter of logs.
    pub log: String,
    /// json, text or empty.
    pub log_format: String,
    /// Armed crash.
    pub crash_at: Option<String>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every mistake, one a line.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn read() -> Result<Self, String> {
        Self::from(&|name| std::env::var(name).ok(), &|path| std::fs::read_to_string(path).map_err(|e| e.to_string()))
    }

    /// What the environment says under a name; an empty text says nothing.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn given(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// From settings in hand instead of the environment.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub fn of(settings: &[(&str, String)]) -> Result<Self, String> {
        let look = |name: &str| settings.iter().find(|setting| setting.0 == name).map(|setting| setting.1.clone());
        Self::from(&look, &|path| Err(format!("{path} is not read here")))
    }

    fn from(
        look: &dyn Fn(&str) -> Option<String>,
        file: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let mut mistakes: Vec<String> = Vec::new();
        let mut text = |name: &str| {
            setting(name, look, file).unwrap_or_else(|mistake| {
                mistakes.push(mistake);
                String::new()
            })
        };
        let (database_url, amqp_url) = (text("TEXTHUB_DATABASE_URL"), text("TEXTHUB_AMQP_URL"));
        let (pool, partitions) = (text("TEXTHUB_DATABASE_POOL"), text("TEXTHUB_PARTITIONS"));
        let media_bytes = text("TEXTHUB_MEDIA_BYTES");
        let private = text("TEXTHUB_WEBHOOK_PRIVATE").parse();
        let proxies = text("TEXTHUB_TRUSTED_PROXIES").parse();
        let config = Self {
            http_listen: text("TEXTHUB_HTTP_LISTEN"),
            public_url: text("TEXTHUB_PUBLIC_URL").trim_end_matches('/').to_owned(),
            simulator_listen: text("TEXTHUB_SIMULATOR_LISTEN"),
            simulator_url: text("TEXTHUB_SIMULATOR_URL"),
            simulator_record: text("TEXTHUB_SIMULATOR_RECORD"),
            webhook_private: private.clone().unwrap_or_default(),
            trusted_proxies: proxies.clone().unwrap_or_default(),
            consent_key: text("TEXTHUB_CONSENT_KEY").into(),
            log: text("TEXTHUB_LOG"),
            log_format: text("TEXTHUB_LOG_FORMAT"),
            crash_at: Some(text("TEXTHUB_CRASH_AT")).filter(|at| !at.is_empty()),
            database_pool: between(&pool, "TEXTHUB_DATABASE_POOL", 2, 100, &mut mistakes) as usize,
            media_bytes: between(&media_bytes, "TEXTHUB_MEDIA_BYTES", 1, 50 * 1024 * 1024, &mut mistakes) as usize,
            partitions: between(&partitions, "TEXTHUB_PARTITIONS", 1, 64, &mut mistakes),
            database_url: begins(
                database_url,
                "TEXTHUB_DATABASE_URL",
                &["postgres://", "postgresql://"],
                &mut mistakes,
            ),
            amqp_url: begins(amqp_url, "TEXTHUB_AMQP_URL", &["amqp://", "amqps://"], &mut mistakes),
        };
        if !["", "json", "text"].contains(&config.log_format.as_str()) {
            mistakes.push("TEXTHUB_LOG_FORMAT: say json or text".into());
        }
        if !config.public_url.is_empty() && !["http://", "https://"].iter().any(|s| config.public_url.starts_with(s)) {
            mistakes.push("TEXTHUB_PUBLIC_URL: must begin with https:// or http://".into());
        }
        mistakes.extend(private.err().map(|mistake: String| format!("TEXTHUB_WEBHOOK_PRIVATE: {mistake}")));
        mistakes.extend(proxies.err().map(|mistake: String| format!("TEXTHUB_TRUSTED_PROXIES: {mistake}")));
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes.join("\n")) }
    }

    /// The URL of Postgres, to connect with.
    #[must_use]
    pub fn database(&self) -> &str {
        self.database_url.expose_secret()
    }

    /// The URL of `RabbitMQ`, to connect with.
    #[must_use]
    pub fn amqp(&self) -> &str {
        self.amqp_url.expose_secret()
    }
}

/// A setting's text: its own, its file's, or its default. Empty is not set: compose files hand on what was left out so.
fn setting(
    name: &str,
    look: &dyn Fn(&str) -> Option<String>,
    file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    let given = |name: &str| look(name).filter(|value| !value.is_empty());
    if let Some(value) = given(name) {
        return Ok(value);
    }
    if let Some(path) = given(&format!("{name}_FILE")) {
        let read = file(&path).map_err(|error| format!("{name}_FILE: cannot read {path}: {error}"))?;
        return Ok(read.trim_end().to_owned());
    }
    let default = SETTINGS.iter().find(|s| s.0 == name).map_or("", |s| s.1);
    Ok(default.to_owned())
}

fn between(text: &str, name: &str, least: u32, most: u32, mistakes: &mut Vec<String>) -> u32 {
    match text.parse() {
        Ok(n) if (least..=most).contains(&n) => n,
        _ => {
            mistakes.push(format!("{name}: {text:?} is no number from {least} to {most}"));
            least
        }
    }
}

fn begins(text: String, name: &str, schemes: &[&str], mistakes: &mut Vec<String>) -> SecretString {
    if text.is_empty() {
        mistakes.push(format!("{name} is not set; `./dev env` prints it for the stack that `./dev up` started"));
    } else if !schemes.iter().any(|scheme| text.starts_with(scheme)) {
        mistakes.push(format!("{name}: must begin with {}", schemes.join(" or ")));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        Config::from(&|name| pairs.iter().find(|p| p.0 == name).map(|p| p.1.clone()), &|path| {
            if path == "there" { Ok("amqp://u:secret@h/v\n".into()) } else { Err("gone".into()) }
        })
    }

    #[test]
    fn all_mistakes_come_together() {
        let mistakes =
            read(&[("TEXTHUB_AMQP_URL", "http://x"), ("TEXTHUB_PARTITIONS", "0"), ("TEXTHUB_WEBHOOK_PRIVATE", "home")])
                .unwrap_err();
        for name in ["TEXTHUB_DATABASE_URL", "TEXTHUB_AMQP_URL", "TEXTHUB_PARTITIONS", "TEXTHUB_WEBHOOK_PRIVATE"] {
            assert!(mistakes.contains(name), "{mistakes}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_and_does_not_print() {
        let config = read(&[("TEXTHUB_DATABASE_URL", "postgres://h/d"), ("TEXTHUB_AMQP_URL_FILE", "there")]).unwrap();
        assert_eq!(config.amqp(), "amqp://u:secret@h/v");
        assert!(!format!("{config:?}").contains("secret@"));
    }

    #[test]
    fn an_empty_setting_is_not_set() {
        let config = read(&[
            ("TEXTHUB_DATABASE_URL", "postgres://h/d"),
            ("TEXTHUB_DATABASE_URL_FILE", ""),
            ("TEXTHUB_AMQP_URL", ""),
            ("TEXTHUB_AMQP_URL_FILE", "there"),
            ("TEXTHUB_PARTITIONS", ""),
        ])
        .unwrap();
        assert_eq!((config.amqp(), config.partitions), ("amqp://u:secret@h/v", 4));
    }
}
