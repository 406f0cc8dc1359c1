//! What a company sets up: its tenant, skills, teams, agents, carriers and points of contact.

pub mod point_of_contact;
