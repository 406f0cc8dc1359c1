//! What a connection's settings say, checked: where and who, how texts are written, how long to wait.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use rusmpp_core::types::owned::COctetString;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::super::kind::Settings;
use crate::facts::ids::Slug;
use crate::sms::receipt::spelling::{self, Rule};

/// What data coding 0 means (5.2.19: the SMSC's default).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// GSM 03.38, a septet to an octet.
    Gsm,
    /// ISO 8859-1.
    Latin1,
    /// Seven bits.
    Ascii,
}

/// How parts are held together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concatenation {
    /// A header with a reference of 8 bits.
    Udh8,
    /// Of 16 bits.
    Udh16,
    /// The SAR parameters.
    Sar,
    /// Not at all: the whole text in `message_payload`.
    Payload,
}

/// Type and plan of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
}

/// Who vouches for the SMSC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Whom this machine trusts.
    Machine,
    /// The owners of these certificates, as PEM.
    Given(String),
}

/// A connection's settings.
#[derive(Clone)]
pub struct Plan {
    /// Slug of the connection.
    pub carrier: Slug,
    /// Name or address of the SMSC.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// By TLS.
    pub tls: Option<Tls>,
    /// Who we are.
    pub system_id: COctetString<1, 16>,
    /// The password.
    pub password: SecretString,
    /// What we are.
    pub system_type: COctetString<1, 13>,
    /// A transmitter and a receiver.
    pub is_split: bool,
    /// How many binds of each.
    pub binds: usize,
    /// Submissions under way on one bind.
    pub window: usize,
    /// What data coding 0 means.
    pub zero: Zero,
    /// How parts go out.
    pub concatenation: Concatenation,
    /// How receipts spell ids.
    pub receipt_ids: Vec<Rule>,
    /// Of receipts' dates.
    pub receipt_zone: Option<TimeZone>,
    /// Of short codes and national numbers; two capital letters.
    pub country: Option<String>,
    /// Of our long numbers, our short codes, customers' numbers.
    pub numbering: [Numbering; 3],
    /// As asked for.
    pub service_type: COctetString<1, 6>,
    /// How long the SMSC tries.
    pub validity: Option<Duration>,
    /// After so much silence a bind is asked whether it lives.
    pub enquire: Duration,
    /// Tells plans apart.
    pub print: Vec<u8>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("carrier", &self.carrier).finish_non_exhaustive()
    }
}

impl Plan {
    /// By the row's address and its settings.
    ///
    /// # Errors
    /// A sentence: what is missing or not possible.
    pub fn new(url: Option<&str>, settings: &Settings) -> Result<Self, String> {
        let url =
            url.ok_or_else(|| format!("the carrier {} lacks url; write it in the tenant file", settings.carrier))?;
        let (is_tls, host, port) = address(url)?;
        let ca = settings.secret("ca_file").map(|pem| Tls::Given(pem.expose_secret().to_owned()));
        let zone = settings.text("receipt_zone").map(TimeZone::get).transpose();
        let octet = |key, default| settings.whole(key).and_then(|n| u8::try_from(n).ok()).unwrap_or(default);
        let numbering = |ton, of: (u8, u8), npi| Numbering { ton: octet(ton, of.0), npi: octet(npi, of.1) };
        let password = settings.required_secret("password_file")?.clone();
        field::<9>("password", password.expose_secret())
            .map_err(|_| "password_file: a password has at most 8 characters of ASCII (SMPP 3.4, 5.2.2)".to_owned())?;
        Ok(Self {
            carrier: settings.carrier.clone(),
            host,
            port,
            tls: is_tls.then(|| ca.unwrap_or(Tls::Machine)),
            system_id: field("system_id", settings.required("system_id")?)?,
            password,
            system_type: field("system_type", settings.text("system_type").unwrap_or_default())?,
            is_split: settings.text("bind") == Some("split"),
            binds: settings.whole("binds").and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
            window: settings.window(),
            zero: match settings.text("data_coding") {
                Some("latin1") => Zero::Latin1,
                Some("ascii") => Zero::Ascii,
                _ => Zero::Gsm,
            },
            concatenation: match settings.text("concatenation") {
                Some("udh16") => Concatenation::Udh16,
                Some("sar") => Concatenation::Sar,
                Some("payload") => Concatenation::Payload,
                _ => Concatenation::Udh8,
            },
            receipt_ids: spelling::rules(settings.words("receipt_ids").as_deref().unwrap_or(spelling::WORDS)),
            receipt_zone: zone.map_err(|_| "receipt_zone is no time zone; write it as \"Europe/Paris\"".to_owned())?,
            country: settings.text("country").map(str::to_ascii_uppercase),
            numbering: [
                numbering("source_ton", (1, 1), "source_npi"),
                numbering("short_ton", (3, 0), "short_npi"),
                numbering("destination_ton", (1, 1), "destination_npi"),
            ],
            service_type: field("service_type", settings.text("service_type").unwrap_or_default())?,
            validity: settings.whole("validity_s").and_then(|n| u64::try_from(n).ok()).map(Duration::from_secs),
            enquire: Duration::from_secs(settings.whole("enquire_s").and_then(|n| u64::try_from(n).ok()).unwrap_or(30)),
            print: print(url, settings),
        })
    }

    /// The validity as the protocol writes a span (7.1.1.2); none: the SMSC's own.
    #[must_use]
    pub fn validity_period(&self) -> Option<String> {
        self.validity.map(|validity| {
            let (seconds, minutes) = (validity.as_secs(), validity.as_secs() / 60);
            let (hours, days) = (minutes / 60, minutes / 60 / 24);
            format!("0000{days:02}{:02}{:02}{:02}000R", hours % 24, minutes % 60, seconds % 60)
        })
    }
}

fn field<const MAX: usize>(name: &str, text: &str) -> Result<COctetString<1, MAX>, String> {
    COctetString::from_string(text.to_owned())
        .map_err(|_| format!("{name} must be ASCII of at most {} characters", MAX - 1))
}

fn address(url: &str) -> Result<(bool, String, u16), String> {
    let wrong = || format!("{url:?} is no address; write \"smpp://host:2775\" or \"smpps://host:3550\"");
    let (is_tls, rest) = match url.split_once("://") {
        Some(("smpp", rest)) => (false, rest),
        Some(("smpps", rest)) => (true, rest),
        _ => return Err(wrong()),
    };
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (rest, if is_tls { 3550 } else { 2775 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || Path::new(host).components().count() != 1 || host.contains(['@', '?', ' ']) {
        return Err(wrong());
    }
    Ok((is_tls, host.to_owned(), port))
}

fn print(url: &str, settings: &Settings) -> Vec<u8> {
    let values = serde_json::Value::Object(settings.values().clone()).to_string();
    Sha256::new()
        .chain_update(url)
        .chain_update([0])
        .chain_update(values)
        .chain_update(settings.fingerprint())
        .finalize()
        .to_vec()
}

#[cfg(test)]
pub mod tests {
    use serde_json::{Value, json};

    use super::super::KIND;
    use super::*;

    /// A plan with these settings beside the least.
    pub fn plan(more: &Value) -> Result<Plan, String> {
        let folder = std::env::temp_dir().join(format!("texthub_smpp_{}", fastrand::u64(..)));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("password");
        std::fs::write(&file, more["password"].as_str().unwrap_or("secret")).unwrap();
        let mut values = json!({"system_id": "hub", "password_file": file}).as_object().cloned().unwrap();
        values.extend(more.as_object().cloned().unwrap());
        let settings = Settings::read(&KIND, &Slug::new("line").unwrap(), &values).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        Plan::new(more["url"].as_str().or(Some("smpp://smsc")), &settings)
    }

    #[test]
    fn addresses_have_a_scheme_a_host_and_perhaps_a_port() {
        assert_eq!(address("smpp://smsc.example.com"), Ok((false, "smsc.example.com".into(), 2775)));
        assert_eq!(address("smpps://smsc:9000/"), Ok((true, "smsc".into(), 9000)));
        assert_eq!(address("smpp://[::1]:2776"), Ok((false, "::1".into(), 2776)));
        for wrong in
            ["http://smsc", "smpp://", "smpp://smsc:port", "smpp://user@smsc", "smpp://a/b", "smpp://smsc:99999"]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_have_defaults_and_bounds() {
        let plain = plan(&json!({})).unwrap();
        assert_eq!(
            (plain.zero, plain.concatenation, plain.binds, plain.window),
            (Zero::Gsm, Concatenation::Udh8, 1, 16)
        );
        assert_eq!((plain.numbering[1], plain.validity_period()), (Numbering { ton: 3, npi: 0 }, None));
        assert!(plain.tls.is_none() && plain.receipt_ids.len() == spelling::WORDS.len());
        let other = plan(&json!({"validity_s": 90_061, "url": "smpps://smsc", "receipt_ids": ["exact"]})).unwrap();
        assert_eq!(other.validity_period().as_deref(), Some("000001010101000R"));
        assert!(other.tls == Some(Tls::Machine) && other.receipt_ids.len() == 1 && other.print != plain.print);
        assert!(plan(&json!({"password": "ninechars"})).unwrap_err().contains("at most 8"));
        assert!(plan(&json!({"receipt_zone": "Nowhere/At_All"})).unwrap_err().contains("receipt_zone"));
        assert!(!format!("{plain:?}").contains("secret"));
    }
}
