//! The order of an outbound sms's states, and of its parts': forward only. Unknown gives way to any word of the carrier
//! and overrides no final one; the state of several parts is one fold over them.

use crate::facts::heard::ReceiptStatus;
use crate::facts::said::SmsStatus;

impl SmsStatus {
    /// requested < sending < submitted < final. Unknown is a sending whose answer was lost; held waits before sending.
    fn rank(self) -> u8 {
        match self {
            Self::Requested | Self::Held => 0,
            Self::Sending => 1,
            Self::Unknown => 2,
            Self::Submitted => 3,
            Self::Delivered | Self::Undelivered | Self::Failed => 4,
        }
    }

    /// Nothing can follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        self.rank() == 4
    }

    /// The later of what is known and what is heard: a final state stays, whatever comes after it.
    #[must_use]
    pub fn forward(self, heard: Self) -> Self {
        if heard.rank() > self.rank() { heard } else { self }
    }
}

impl From<ReceiptStatus> for SmsStatus {
    fn from(status: ReceiptStatus) -> Self {
        match status {
            ReceiptStatus::Submitted => Self::Submitted,
            ReceiptStatus::Delivered => Self::Delivered,
            ReceiptStatus::Undelivered => Self::Undelivered,
            ReceiptStatus::Failed => Self::Failed,
        }
    }
}

/// What the parts come to: failed where one failed, undelivered where one was, delivered once all are, else submitted.
/// Without parts nothing is known.
#[must_use]
pub fn fold(parts: impl IntoIterator<Item = SmsStatus>) -> Option<SmsStatus> {
    parts.into_iter().reduce(|all, part| if weight(part) > weight(all) { part } else { all })
}

/// The part that decides: the worst word outweighs, and one that is still on its way outweighs a delivered one.
fn weight(part: SmsStatus) -> u8 {
    match part {
        SmsStatus::Failed => 4,
        SmsStatus::Undelivered => 3,
        SmsStatus::Submitted => 2,
        SmsStatus::Delivered => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use SmsStatus::{Delivered, Failed, Held, Requested, Sending, Submitted, Undelivered, Unknown};

    use super::*;

    #[test]
    fn states_go_forward_only() {
        let order = [Requested, Sending, Unknown, Submitted, Delivered];
        for (at, earlier) in order.into_iter().enumerate() {
            for later in order.into_iter().skip(at) {
                assert_eq!((earlier.forward(later), later.forward(earlier)), (later, later));
            }
        }
        assert_eq!(Requested.forward(Held), Requested, "held is the hub's own decision, not a carrier's word");
    }

    #[test]
    fn unknown_gives_way_to_any_word_of_the_carrier_and_a_final_word_to_none() {
        for word in [Submitted, Delivered, Undelivered, Failed] {
            assert_eq!(Unknown.forward(word), word);
            assert_eq!(word.forward(Unknown), word);
        }
        for first in [Delivered, Undelivered, Failed] {
            for second in [Delivered, Undelivered, Failed, Submitted] {
                assert_eq!(first.forward(second), first);
            }
        }
    }

    #[test]
    fn the_worst_part_decides_and_a_text_is_delivered_once_all_its_parts_are() {
        assert_eq!(fold([]), None);
        assert_eq!(fold([Delivered, Delivered]), Some(Delivered));
        assert_eq!(fold([Delivered, Submitted]), Some(Submitted));
        assert_eq!(fold([Failed, Delivered]), Some(Failed), "part 1 failed, then part 2 delivered: not delivered");
        assert_eq!(fold([Submitted, Undelivered, Failed]), Some(Failed));
    }
}
