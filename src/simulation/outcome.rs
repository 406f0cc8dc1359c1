//! What a day's run leaves behind: every offer, every contact's fate, every agent's time.

use jiff::{SignedDuration, Timestamp};

use crate::facts::ids::Slug;

/// An offer that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The place of the contact in the day.
    pub contact: usize,
    /// To whom.
    pub agent: Slug,
    /// When.
    pub at: Timestamp,
}

/// What became of a contact.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// When it came.
    pub queued_at: Timestamp,
    /// When somebody accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was given up: the customer left, or it waited too long.
    pub abandoned_at: Option<Timestamp>,
}

/// What an agent did.
#[derive(Clone, Debug)]
pub struct Worked {
    /// Who.
    pub agent: Slug,
    /// Contacts accepted.
    pub answered: usize,
    /// Time of slots in use, summed up.
    pub used: SignedDuration,
    /// Time of slots there were, summed up.
    pub there: SignedDuration,
}

/// A day's run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// In their order.
    pub offers: Vec<Made>,
    /// In the order of the day; those of skills that the company does not have are left out.
    pub fates: Vec<Fate>,
    /// By name.
    pub agents: Vec<Worked>,
    /// Contacts of skills that the company does not have.
    pub unknown_skill: usize,
    /// Offers refused.
    pub refused: usize,
    /// Offers missed.
    pub lapsed: usize,
}
