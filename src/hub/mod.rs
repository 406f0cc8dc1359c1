//! What lives: rooms, entries, contacts, offers, sessions, slots, consent; each file a noun with its statements.
//! Functions take the transaction and slices; lock order: rooms, sessions and contacts, offers, agents.

pub mod automatic;
pub mod consent;
pub mod contact;
pub mod entry;
pub mod inbound;
pub mod memory;
pub mod moving;
pub mod offer;
pub mod outbound;
pub mod presence;
pub mod refusal;
pub mod room;
pub mod sender;
pub mod session;
pub mod slot;
pub mod sql;
pub mod written;
