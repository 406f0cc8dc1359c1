//! SNS' signing certificates: fetched from SNS' own host over HTTPS, kept, and looked at: valid now, and SNS' by name. The
//! file holds the leaf alone, without the certificates between it and a root, so what vouches for it is the connection to
//! `sns.<region>.amazonaws.com`, whose chain is checked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use tokio::sync::Semaphore;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

use super::super::http;

/// Most that are kept: SNS changes them about once a year.
const MOST: usize = 16;

/// A certificate that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// RSA, as PKCS #1 has it.
    key: Vec<u8>,
    from: i64,
    until: i64,
}

/// Which hash, by `SignatureVersion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// SHA-1.
    One,
    /// SHA-256.
    Two,
}

impl Certificate {
    /// Reads a PEM file; a sentence where it is none, not RSA, or not one of these names'.
    pub(super) fn read(pem: &[u8], names: &[String]) -> Result<Self, String> {
        let (_, pem) = parse_x509_pem(pem).map_err(|_| "no PEM")?;
        let certificate = pem.parse_x509().map_err(|_| "no certificate")?;
        if !named(&certificate).iter().any(|name| names.contains(name)) {
            return Err("it is not SNS' by its names".to_owned());
        }
        let validity = certificate.validity();
        Ok(Self {
            key: certificate.public_key().subject_public_key.data.to_vec(),
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        })
    }

    /// Whether it signed that, and may have at this time.
    pub(super) fn is_signature(&self, version: Version, now: Timestamp, signed: &[u8], signature: &[u8]) -> bool {
        let algorithm = match version {
            Version::One => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Version::Two => &RSA_PKCS1_2048_8192_SHA256,
        };
        (self.from..=self.until).contains(&now.as_second())
            && UnparsedPublicKey::new(algorithm, &self.key).verify(signed, signature).is_ok()
    }
}

/// Its DNS names; without any, its common name.
fn named(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names: Vec<String> = alternatives
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None })
        .collect();
    if !names.is_empty() {
        return names;
    }
    certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok().map(str::to_owned)).collect()
}

/// The certificates of a connection, by their addresses; one is fetched at a time.
#[derive(Clone, Debug)]
pub(super) struct Certificates {
    http: reqwest::Client,
    kept: Arc<Mutex<HashMap<String, Arc<Certificate>>>>,
    turn: Arc<Semaphore>,
}

impl Certificates {
    pub(super) fn new(http: reqwest::Client) -> Self {
        Self { http, kept: Arc::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The one at an address that was checked; none where it cannot be fetched now. It is fetched to its end and kept
    /// even where nobody waits so long: SNS tries again.
    pub(super) async fn at(&self, url: &str, names: &[String]) -> Option<Arc<Certificate>> {
        if let Some(known) = self.known(url) {
            return Some(known);
        }
        let (this, url, names) = (self.clone(), url.to_owned(), names.to_vec());
        tokio::spawn(async move { this.fetch(&url, &names).await }).await.ok().flatten()
    }

    fn known(&self, url: &str) -> Option<Arc<Certificate>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    async fn fetch(&self, url: &str, names: &[String]) -> Option<Arc<Certificate>> {
        let _turn = self.turn.acquire().await.ok()?;
        if let Some(known) = self.known(url) {
            return Some(known);
        }
        let answer = http::call(self.http.get(url)).await.ok().filter(|answer| answer.status.is_success());
        let read = answer.and_then(|answer| answer.body).ok_or_else(|| "it cannot be fetched".to_owned());
        match read.and_then(|pem| Certificate::read(&pem, names)) {
            Ok(certificate) => {
                let certificate = Arc::new(certificate);
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= MOST {
                    kept.clear();
                }
                kept.insert(url.to_owned(), certificate.clone());
                Some(certificate)
            }
            Err(why) => {
                tracing::warn!(url, why, "no signing certificate of SNS");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = include_bytes!("../../../../tests/data/sns.pem");
    const FOREIGN: &[u8] = include_bytes!("../../../../tests/data/sns-foreign.pem");

    #[test]
    fn what_is_signed_by_a_certificate_of_sns_counts_while_it_is_valid() {
        // certificate and signatures by the PyPI package cryptography 50.0.2; of SNS itself none is published
        let one = "j6h7qwyun1U+YsaQunIe0LpdXAE9nqEMZMAVsBIut+RdmkiB5GTGgIe0GE5yDMeIF6kIoJcehy3BzDI4wlJSyAxbuaGNbbVoWX70nmcTDrwqD6uq\
                   ZIvgbJoG71lW5Armh2AeASxGWbZ+AZCCMpUkR2FNYbfor2HD/rhKcwIbMsdz/VNLBfPV03oiJDHvOkgHqyU/wZYcLu1ZfMuplndhqqV1nKAF6Nha\
                   GreuNhvoSxMNM3+8x0amh1agD2kasnuLBSXtneCxynKZIsUnqlMW0/zZY/QrXs+3oLyJlYKGDZosr160wMtJm3v5FQYW3zBcCLnfKVdMjSlQR7xi\
                   WFq3pw==";
        let two = "OHfu/Ow3nhZCw7PP4mtqs/FudhSt+YK0ZNs7EgwWK6eWopQEiYpfWlRB/wknEBrGvoxuiz5c/wPRmqcVDScCqRzfXmAbxm5VdBw6FXGNF3DwRk1w\
                   aSjrJtLloQyY2PZ+olkT1uwXFEspisdO9JvurtTXxlC6gspeKwQQFrJPy2GENwmHLyV6dZlr3+q6SLxHmo/IkbDN/S8DBH8PI+SsGveGKbnN6NiN\
                   wbGGy/D+Fr21E8EvU8tGangizP5bs8OeOYyTcrAwaIH0XZU7AoOOhiZ3Em+R5GSGgINPnxkixSZs+hl67IkKXU7C4qJ9c/32x2izuJOxmnSe+udW\
                   jrZRRA==";
        let signed = "Message\nlook & see ü\nMessageId\n22b80b92\nTimestamp\n2026-01-01T12:30:00.123Z\nTopicArn\n\
                      arn:aws:sns:us-east-1:123456789012:texts\nType\nNotification\n";
        let names = ["sns.us-east-1.amazonaws.com".to_owned()];
        let certificate = Certificate::read(OURS, &names).unwrap();
        let judged = |version, at: &str, signed: &str, signature: &str| {
            let signature = crate::sms::carrier::base64::decode(signature).unwrap();
            certificate.is_signature(version, at.parse().unwrap(), signed.as_bytes(), &signature)
        };
        let now = "2026-01-01T12:30:01Z";
        assert!(judged(Version::One, now, signed, one) && judged(Version::Two, now, signed, two));
        assert!(!judged(Version::Two, now, signed, one) && !judged(Version::One, now, signed, two));
        assert!(!judged(Version::Two, now, &signed.replace("look", "Look"), two));
        assert!(
            !judged(Version::Two, "2025-12-31T23:59:59Z", signed, two)
                && !judged(Version::Two, "2126-01-02T00:00:00Z", signed, two)
        );
    }

    #[test]
    fn a_certificate_of_somebody_else_is_none_whatever_its_common_name() {
        let names = ["sns.amazonaws.com".to_owned(), "sns.us-east-1.amazonaws.com".to_owned()];
        assert!(Certificate::read(OURS, &names).is_ok());
        assert!(Certificate::read(OURS, &["sns.eu-west-1.amazonaws.com".to_owned()]).is_err());
        assert!(Certificate::read(FOREIGN, &names).is_err());
        for none in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Certificate::read(none, &names).is_err());
        }
    }
}
