//! What a desk shows, and how it stays true: the shapes of the gateway's API, the queries behind them, and the pure half
//! that turns what changed into events for the connections concerned. Reads the hub's tables, writes none.

pub mod event;
pub mod hint;
pub mod outbox;
pub mod read;
pub mod shape;
pub mod told;
