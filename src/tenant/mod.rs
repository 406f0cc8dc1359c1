//! What a company sets up: its tenant, skills, teams, agents, carriers and points of contact, and the file of it.

pub mod apply;
pub mod check;
pub mod consent;
pub mod file;
pub mod point_of_contact;
pub mod reader;
pub mod rules;
