//! Base64 with padding (RFC 4648, 4), of signatures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets as base64.
#[must_use]
pub fn encode(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// Octets of base64, where it is that.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
