//! Desks by the gateway's API: commands, reads and sockets, through the real hub.

mod storm;
mod work;
