//! The company that a tenant file describes, as routing needs it.

use std::collections::BTreeMap;

use crate::facts::ids::Slug;
use crate::routing::choose::Choice;
use crate::routing::queue::Ageing;
use crate::routing::skill::{Skill, Step};
use crate::tenant::file::{Team, TenantFile};

/// A skill.
#[derive(Clone, Debug)]
pub struct Work {
    /// How it offers and chooses.
    pub rules: Skill,
    /// Initial priority of its contacts.
    pub priority: i32,
    /// How that grows.
    pub ageing: Ageing,
    /// Seconds of wrap-up, where there is one.
    pub wrap_up_s: Option<i32>,
    /// Seconds a contact may wait.
    pub max_wait_s: i32,
}

/// An agent.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Most slots in use.
    pub limit: i32,
    /// Most contacts of each channel that has a limit of its own.
    pub channels: BTreeMap<&'static str, i32>,
    /// Skills with their proficiency.
    pub skills: BTreeMap<Slug, i32>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Company {
    /// By slug.
    pub skills: BTreeMap<Slug, Work>,
    /// By slug.
    pub agents: BTreeMap<Slug, Worker>,
    /// The skill of each point of contact.
    pub entrances: Vec<Slug>,
}

impl Company {
    /// As a checked file has it.
    #[must_use]
    pub fn of(file: &TenantFile) -> Self {
        let mut company = Self::default();
        for skill in &file.skills {
            let Some(id) = &skill.id else { continue };
            let choice = skill.agent_choice.as_ref().map_or("best_proficiency", |at| at.value.as_str());
            let widening = skill.widening.iter().map(|(after_s, worst)| Step { after_s: *after_s, worst: *worst });
            let work = Work {
                rules: Skill {
                    offer_timeout_s: skill.offer_timeout_s,
                    choice: Choice::of(choice),
                    widening: widening.collect(),
                    accepts_by_itself: skill.accept_by_itself,
                    slots: skill.channel.as_ref().map_or(1, |channel| file.slots_of(&channel.value)),
                    channel: skill.channel.as_ref().map_or_else(String::new, |channel| channel.value.clone()),
                },
                priority: skill.priority,
                ageing: Ageing { per_min: skill.priority_per_min, max: skill.priority_max.max(skill.priority) },
                wrap_up_s: skill.wrap_up_s.filter(|seconds| *seconds > 0),
                max_wait_s: skill.max_wait_s,
            };
            company.skills.insert(id.value.clone(), work);
        }
        for agent in &file.agents {
            let Some(id) = &agent.id else { continue };
            let team = agent.team.as_ref().map(|team| &team.value);
            let of_team = file.teams.iter().find(|t| t.id.as_ref().map(|id| &id.value) == team);
            let limit = agent.session_limit.or_else(|| of_team.map(|team| team.session_limit)).unwrap_or(1);
            let skills = agent.skills.iter().map(|(skill, proficiency)| (skill.value.clone(), *proficiency));
            let of_channel = |own: Option<i32>, team: fn(&Team) -> Option<i32>| own.or_else(|| of_team.and_then(team));
            let channels = [
                ("sms", of_channel(agent.sms_limit, |team| team.sms_limit)),
                ("chat", of_channel(agent.chat_limit, |team| team.chat_limit)),
            ];
            let channels = channels.into_iter().filter_map(|(channel, limit)| Some((channel, limit?))).collect();
            company.agents.insert(id.value.clone(), Worker { limit, channels, skills: skills.collect() });
        }
        company.entrances = file.points.iter().filter_map(|point| Some(point.skill.as_ref()?.value.clone())).collect();
        company
    }
}
