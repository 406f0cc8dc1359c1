//! What holds the workers: partitions, traces, health.

mod failures;
mod partitions;
mod traces;
