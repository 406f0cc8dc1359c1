//! What lives: rooms, transcripts, contacts, offers, sessions, consent.

pub mod consent;
