//! What texts are called in Twilio's API: SIDs, statuses, numbers of errors. Sources:
//! twilio.com/docs/messaging/api/message-resource, …/api/errors.

use jiff::Timestamp;
use uuid::Uuid;

use crate::facts::said::SmsStatus;

/// The version that is spoken, as in paths.
pub const VERSION: &str = "2010-04-01";

/// The SID of a text: `SM` and the id of the fact that brought it.
#[must_use]
pub fn sid(of: Uuid) -> String {
    format!("SM{}", of.simple())
}

/// The id in a SID, where it is one of ours.
#[must_use]
pub fn of_sid(text: &str) -> Option<Uuid> {
    let digits = text.strip_prefix("SM").filter(|digits| digits.len() == 32)?;
    Uuid::try_parse(digits).ok()
}

/// The word for a state; what is held waits, what is unknown may have left.
#[must_use]
pub fn status(state: SmsStatus) -> &'static str {
    match state {
        SmsStatus::Requested | SmsStatus::Held => "queued",
        SmsStatus::Sending | SmsStatus::Unknown => "sending",
        SmsStatus::Submitted => "sent",
        SmsStatus::Delivered => "delivered",
        SmsStatus::Undelivered => "undelivered",
        SmsStatus::Failed => "failed",
    }
}

/// The number for a refusal's word, or for why a text failed: a carrier's own number is passed on.
#[must_use]
pub fn error(word: &str) -> i32 {
    match word {
        "opted_out" => 21610,
        "bad_number" => 21211,
        "emergency_number" | "premium_number" | "no_hours" | "no_media" => 21612,
        "no_number" => 21606,
        "text_length" => 21617,
        "bad_media" => 21620,
        "expired" => 30036,
        "unknown_tenant" | "disabled_tenant" | "unknown_application" => 20005,
        other => other.parse().ok().filter(|code| (10_000..100_000).contains(code)).unwrap_or(30008),
    }
}

/// What a number means, for people.
#[must_use]
pub fn message(code: i32) -> &'static str {
    match code {
        20001 => "A parameter is not known here or its value cannot be",
        20003 => "Authenticate",
        20004 => "Method not allowed",
        20005 => "Account not active",
        20404 => "The requested resource was not found",
        20429 => "Too many requests",
        20503 => "Service unavailable",
        21211 => "Invalid 'To' phone number",
        21212 => "Invalid 'From' number",
        21602 => "Message body is required",
        21603 => "A 'From' phone number is required",
        21604 => "A 'To' phone number is required",
        21606 => "The 'From' phone number provided is not one that this account may send from",
        21609 => "Invalid 'StatusCallback' URL",
        21610 => "Attempt to send to unsubscribed recipient",
        21612 => "Message cannot be sent with the current combination of 'To' and 'From' parameters",
        21617 => "The concatenated message body exceeds the 1600 character limit",
        21620 => "Invalid media URL(s)",
        21701 => "The Messaging Service does not exist",
        30036 => "Validity period expired",
        _ => "Unknown error",
    }
}

/// A time as the API writes it: RFC 2822.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::refusal::Refusal;

    #[test]
    fn a_sid_leads_back_to_its_fact() {
        let id = Uuid::from_u128(0x019a_c5a0_0001_7000_8000_0000_0000_0001);
        assert_eq!(sid(id), "SM019ac5a0000170008000000000000001");
        assert_eq!(of_sid(&sid(id)), Some(id));
        for other in ["", "SM", "MM019ac5a0000170008000000000000001", "SM019ac5a0-0001-7000-8000-000000000001", "SMé"]
        {
            assert_eq!(of_sid(other), None, "{other}");
        }
    }

    #[test]
    fn every_number_has_its_words_and_a_carriers_own_is_passed_on() {
        for refusal in Refusal::ALL {
            let code = error(refusal.word());
            assert!(code == 30008 || message(code) != "Unknown error", "{}", refusal.word());
        }
        assert_eq!(
            (error("opted_out"), error("30007"), error("carrier_away"), error("7")),
            (21610, 30007, 30008, 30008)
        );
    }

    #[test]
    fn times_are_as_the_clients_read_them() {
        assert_eq!(time(Timestamp::from_second(1_800_000_000).unwrap()), "Fri, 15 Jan 2027 08:00:00 +0000");
    }
}
