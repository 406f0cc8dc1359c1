//! texthub: the workers and commands. (skeleton)
mod receive_sms;
mod route_contact;
fn main() {}
