//! What runs workers: the loop, supervision, the database, the clock, telemetry.

pub mod clock;
pub mod worker;
