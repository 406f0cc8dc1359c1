//! What-if: a day of contacts through the routing code on a virtual clock. The order of the queue, the choice, who is
//! ready, widening, cool-downs and misses are the hub's own; times come from the day. It touches no database.
//!
//! It knows neither flows, transfers, parking, returning customers, agents' leases nor reminders to answer.

pub mod company;
pub mod day;
pub mod engine;
mod meet;
pub mod outcome;
mod people;
pub mod report;
