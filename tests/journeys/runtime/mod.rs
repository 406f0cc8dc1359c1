//! What holds the workers: partitions, traces, health.

mod partitions;
mod traces;
