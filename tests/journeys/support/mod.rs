//! What tests stand on: a migrated database of their own, and fixtures. Shared by the journeys and by the tests at the
//! foot of the workers; none of it waits by sleeping.

#![allow(dead_code, clippy::disallowed_methods, reason = "each of the two test binaries uses a part of it")]

pub mod browser;
pub mod database;
pub mod den;
pub mod desk;
pub mod fixtures;
pub mod recount;
pub mod servers;
pub mod stack;
pub mod trial;
