//! What the hub's rows say about the past: transcripts, dead letters, the audit. Reads, but for the marks on dead letters.

pub mod audit;
pub mod consent;
pub mod dead;
pub mod ending;
pub mod transcripts;
