//! texthub: an SMS contact-center hub. This library holds the nouns: what things are and how they are stored. The
//! verbs (workers) and the commands live in the binary. Postgres holds every truth; RabbitMQ carries facts, work and timers.

pub mod access;
pub mod amqp;
pub mod application;
pub mod cards;
pub mod chat;
pub mod config;
pub mod contract;
pub mod desk;
pub mod facts;
pub mod failure;
pub mod flow;
pub mod hub;
pub mod media;
pub mod outside;
pub mod parsers;
pub mod records;
pub mod retry;
pub mod routing;
pub mod runtime;
pub mod simulation;
pub mod sms;
pub mod tenant;
