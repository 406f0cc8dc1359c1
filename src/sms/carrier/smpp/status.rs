//! What a `command_status` means for us (SMPP 3.4, 5.1.3): taken, not now, never, or the account.

/// How an SMSC answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Done.
    Taken,
    /// Throttled: later and slower, and certainly not taken.
    TooFast,
    /// Full, or at fault itself: later, and certainly not taken.
    NotNow,
    /// Not this text but who we are.
    Account,
    /// Never.
    Refused,
}

/// Our word for success.
pub const OK: u32 = 0;
/// The length of a command makes no sense.
pub const INVALID_LENGTH: u32 = 0x02;
/// No such command.
pub const UNKNOWN_COMMAND: u32 = 0x03;
/// We could not take it now: the SMSC tries again.
pub const TRY_AGAIN: u32 = 0x64;
/// We shall never take it.
pub const NEVER: u32 = 0x65;

use Meaning::{Account, NotNow, Refused, Taken, TooFast};

/// The statuses with their names in the specification.
const STATUSES: &[(u32, &str, Meaning)] = &[
    (0x00, "ESME_ROK", Taken),
    (0x01, "ESME_RINVMSGLEN", Refused),
    (0x02, "ESME_RINVCMDLEN", Refused),
    (0x03, "ESME_RINVCMDID", Refused),
    // the bind is not what we take it for; it is made anew
    (0x04, "ESME_RINVBNDSTS", NotNow),
    (0x05, "ESME_RALYBND", NotNow),
    (0x06, "ESME_RINVPRTFLG", Refused),
    (0x07, "ESME_RINVREGDLVFLG", Refused),
    (0x08, "ESME_RSYSERR", NotNow),
    (0x0A, "ESME_RINVSRCADR", Refused),
    (0x0B, "ESME_RINVDSTADR", Refused),
    (0x0C, "ESME_RINVMSGID", Refused),
    (0x0D, "ESME_RBINDFAIL", Account),
    (0x0E, "ESME_RINVPASWD", Account),
    (0x0F, "ESME_RINVSYSID", Account),
    (0x11, "ESME_RCANCELFAIL", Refused),
    (0x13, "ESME_RREPLACEFAIL", Refused),
    (0x14, "ESME_RMSGQFUL", NotNow),
    (0x15, "ESME_RINVSERTYP", Refused),
    (0x43, "ESME_RINVESMCLASS", Refused),
    (0x45, "ESME_RSUBMITFAIL", Refused),
    (0x48, "ESME_RINVSRCTON", Refused),
    (0x49, "ESME_RINVSRCNPI", Refused),
    (0x50, "ESME_RINVDSTTON", Refused),
    (0x51, "ESME_RINVDSTNPI", Refused),
    (0x53, "ESME_RINVSYSTYP", Account),
    (0x58, "ESME_RTHROTTLED", TooFast),
    (0x61, "ESME_RINVSCHED", Refused),
    (0x62, "ESME_RINVEXPIRY", Refused),
    (0x64, "ESME_RX_T_APPN", NotNow),
    (0x65, "ESME_RX_P_APPN", Refused),
    (0x66, "ESME_RX_R_APPN", Refused),
    (0xC0, "ESME_RINVOPTPARSTREAM", Refused),
    (0xC1, "ESME_ROPTPARNOTALLWD", Refused),
    (0xC2, "ESME_RINVPARLEN", Refused),
    (0xC3, "ESME_RMISSINGOPTPARAM", Refused),
    (0xC4, "ESME_RINVOPTPARAMVAL", Refused),
    (0xFE, "ESME_RDELIVERYFAILURE", Refused),
    (0xFF, "ESME_RUNKNOWNERR", Refused),
];

/// What it means; one that a carrier made up refuses the text.
#[must_use]
pub fn meaning(status: u32) -> Meaning {
    of(status).map_or(Refused, |(_, _, meaning)| *meaning)
}

/// Its name, or its number in hex.
#[must_use]
pub fn word(status: u32) -> String {
    of(status).map_or_else(|| format!("0x{status:08X}"), |(_, name, _)| (*name).to_owned())
}

fn of(status: u32) -> Option<&'static (u32, &'static str, Meaning)> {
    STATUSES.iter().find(|(code, ..)| *code == status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_a_meaning_and_a_word() {
        assert_eq!((meaning(0x58), word(0x58).as_str()), (TooFast, "ESME_RTHROTTLED"));
        assert_eq!((meaning(0x0E), meaning(0x0B), meaning(0)), (Account, Refused, Taken));
        assert_eq!((meaning(0x04AB), word(0x04AB).as_str()), (Refused, "0x000004AB"));
        let mut codes: Vec<u32> = STATUSES.iter().map(|(code, ..)| *code).collect();
        codes.dedup();
        assert!(codes.len() == STATUSES.len() && codes.is_sorted());
    }
}
