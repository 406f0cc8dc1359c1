//! Who may not be texted, whatever anybody asks for: emergency services, premium numbers, and what is no phone number. A
//! number that is in no assigned range is not refused: plans change every week, the network knows better.

use super::plan::{self, Kind};
use super::{emergency, is_e164};

/// Why a number is no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It calls for help somewhere.
    Emergency,
    /// A text to it costs more than a text.
    Premium,
    /// It is not `+` and 7 to 15 digits, or there are no numbers of that length under its calling code.
    Bad,
}

impl Unfit {
    /// The stable word, the same as that of the refusal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Emergency => "emergency_number",
            Self::Premium => "premium_number",
            Self::Bad => "bad_number",
        }
    }
}

/// Why this is no recipient, if so.
#[must_use]
pub fn unfit(to: &str) -> Option<Unfit> {
    let digits = to.strip_prefix('+').unwrap_or(to);
    if emergency::is_emergency(digits) {
        return Some(Unfit::Emergency);
    }
    let Some(plan) = plan::of(to) else { return Some(Unfit::Bad) };
    // an emergency number behind a calling code is no number of the plan; some networks connect it all the same
    if plan.countries.iter().any(|country| emergency::is_emergency_in(&plan.national, country)) {
        return Some(Unfit::Emergency);
    }
    if !is_e164(to) || !plan.is_possible {
        return Some(Unfit::Bad);
    }
    (plan.kind == Kind::Premium).then_some(Unfit::Premium)
}

/// The last guard, when a text is about to leave: the word why its number must never be texted. Forms are not its
/// business: whoever wrote from a short code is answered.
#[must_use]
pub fn never(to: &str) -> Option<&'static str> {
    unfit(to).filter(|why| *why != Unfit::Bad).map(Unfit::word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emergency_and_premium_numbers_and_what_is_none_are_no_recipients() {
        for (to, why) in [
            ("911", Unfit::Emergency),
            ("+911", Unfit::Emergency),
            ("112", Unfit::Emergency),
            ("+1911", Unfit::Emergency),
            ("+44999", Unfit::Emergency),
            ("+49110", Unfit::Emergency),
            ("+19005550123", Unfit::Premium),
            ("+449012345678", Unfit::Premium),
            ("+448431234567", Unfit::Premium),
            ("12345", Unfit::Bad),
            ("15550100001", Unfit::Bad),
            ("+1555010", Unfit::Bad),
            ("+2101234567", Unfit::Bad),
            ("MAMA", Unfit::Bad),
            ("", Unfit::Bad),
        ] {
            assert_eq!(unfit(to), Some(why), "{to}");
        }
        for to in ["+15550100001", "+12125552368", "+18005550199", "+447911123456", "+4915112345678", "+41840123456"] {
            assert_eq!(unfit(to), None, "{to}");
        }
        assert_eq!(
            (never("12345"), never("911"), never("+19005550123")),
            (None, Some("emergency_number"), Some("premium_number"))
        );
    }
}
