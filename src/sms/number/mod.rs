//! Phone numbers: what an address is by its form (E.164 with +, short code, alphanumeric sender), what the numbering
//! plan says of it (`plan`), and who may not be texted (`recipient`). Nobody is asked: who has a number ported is unknown.

pub mod address;
pub mod emergency;
pub mod plan;
pub mod recipient;

pub use address::Address;

/// `+` and 7 to 15 digits, the first not 0 (ITU-T E.164).
#[must_use]
pub fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// 3 to 8 digits.
#[must_use]
pub fn is_short_code(number: &str) -> bool {
    (3..=8).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

/// The last four digits, for logs and lists.
#[must_use]
pub fn masked(number: &str) -> String {
    let shown: String = number.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    format!("…{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        assert!(is_e164("+15550100001") && is_e164("+4915112345678"));
        for bad in
            ["15550100001", "+0123456789", "+1555", "+1555010000a", "", "+", "+1234567890123456", "+１５５５０１０００"]
        {
            assert!(!is_e164(bad), "{bad}");
        }
        assert!(is_short_code("12345") && !is_short_code("12") && !is_short_code("+12345"));
    }
}
