//! What runs workers: the loop, supervision, the database, the clock, telemetry.

pub mod batch;
pub mod caller;
pub mod clock;
pub mod db;
pub mod faults;
mod gate;
pub mod pass;
pub mod single;
pub mod supervisor;
pub mod suspects;
pub mod telemetry;
pub mod trace;
pub mod worker;
