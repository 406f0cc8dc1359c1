//! texthub: the workers and commands. (skeleton)
mod expire_session;
mod post_reply;
mod receive_sms;
mod route_contact;
mod settle_offer;
mod track_agent;
mod wrap_up;
fn main() {}
