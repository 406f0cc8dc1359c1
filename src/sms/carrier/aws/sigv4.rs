//! Signature Version 4 of a POST to `/` without query, which is all that is needed here: the headers that count, in their
//! order, and the body's hash, under a key derived for the day. Source: docs.aws.amazon.com, Create a signed AWS API
//! request. The crate aws-sigv4 would do it, too, with some twenty crates more.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ring::hmac::{self, HMAC_SHA256, Key};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::super::heard::hex;

/// By whom, where and for what a request is signed.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub key: String,
    pub secret: SecretString,
    pub region: String,
    pub service: &'static str,
}

/// As `x-amz-date` has it.
pub(super) fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

impl Signer {
    /// The header `authorization`. Headers in lower case and in the order of their names, `x-amz-date` (`stamp`) among
    /// them; their values without spaces around.
    pub(super) fn authorization(&self, method: &str, stamp: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let day = &stamp[..stamp.len().min(8)];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().flat_map(|(name, value)| [*name, ":", *value, "\n"]).collect();
        let request = format!("{method}\n/\n\n{lines}\n{names}\n{}", hex(&Sha256::digest(body)));
        let signed = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let mut key = format!("AWS4{}", self.secret.expose_secret()).into_bytes();
        for part in [day, &self.region, self.service, "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = hex(&mac(&key, &signed));
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.key)
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(service: &'static str) -> Signer {
        Signer {
            key: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
            service,
        }
    }

    #[test]
    fn published_vectors() {
        // aws-sig-v4-test-suite: get-vanilla, post-vanilla
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        for (method, signature) in [
            ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ] {
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature={signature}"
            );
            assert_eq!(signer("service").authorization(method, "20150830T123600Z", &headers, b""), expected);
        }
    }

    #[test]
    fn what_we_compute_is_what_awss_sdk_computes() {
        // botocore 1.40.0, auth.SigV4Auth, at 2026-01-02T03:04:05Z
        let at = stamp("2026-01-02T03:04:05.9Z".parse().unwrap());
        let body = "{\"DestinationPhoneNumber\":\"+15550100100\",\"MessageBody\":\"a ü\"}".as_bytes();
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.0"),
            ("host", "sms-voice.us-east-1.amazonaws.com"),
            ("x-amz-date", at.as_str()),
            ("x-amz-target", "PinpointSMSVoiceV2.SendTextMessage"),
        ];
        let signed = signer("sms-voice").authorization("POST", &at, &headers, body);
        assert!(signed.ends_with("=7e5c578a6fa80ff78dac2f42be27baa2827aeda2458689def99ec97420240509"), "{signed}");
        headers.insert(3, ("x-amz-security-token", "a+session/token=="));
        let signed = signer("sms-voice").authorization("POST", &at, &headers, body);
        assert!(signed.ends_with("=8743337fd0ac3222087f50da7576bb9856d93d35b5b95fd69d993bf9f4ffe4d4"), "{signed}");
    }
}
