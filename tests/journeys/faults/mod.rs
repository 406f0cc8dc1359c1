//! Processes that end at the worst moment: nothing is lost, nothing happens twice, and what was promised still comes.

mod each_point;
mod expiry;
mod hands;
mod poison;
mod sessions;
mod storm;

/// All that a process may run, but for the simulated network, which stands for the world outside.
const WORKERS: [&str; 12] = [
    "receive_sms",
    "route_contact",
    "settle_offer",
    "post_reply",
    "send_sms",
    "record_receipt",
    "expire_session",
    "wrap_up",
    "track_agent",
    "move_contact",
    "reconcile",
    "keep_dead",
];
/// The example's tenant.
const BEARS: &str = "three-bears";
/// Its file.
const EXAMPLE: &str = include_str!("../../../examples/three-bears.toml");
