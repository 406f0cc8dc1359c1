//! Who gets which contact: the waiting ones in order, the ready agents in order, and a pure choice with its reasons.

pub mod beside;
pub mod candidates;
pub mod choose;
pub mod queue;
pub mod skill;
pub mod verdict;
pub mod waiting;
pub mod why;
