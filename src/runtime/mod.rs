//! What runs workers: the loop, supervision, the database, the clock, telemetry.

pub mod worker;
