//! A checked tenant file against what the database holds: the difference, and writing it. One transaction under the
//! tenant's lock, so that it happens whole or not at all; applied again it finds nothing to change. Nothing is deleted:
//! what is pruned is ended, and rooms that live on it go on.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use serde::Serialize;
use serde_json::{Map, Value, json};

mod accounts;
mod statements;

use statements::{LIMITS, end_of, upsert_of};

use super::file::{Pace, Point, TenantFile};
use super::reader::Mistake;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::flow::store;
use crate::hub::{slot, sql};

/// Of the lock that one tenant's set-up is changed under.
const SETTING_UP: i32 = 0x7465_7874;
/// In the order in which rows may refer to each other.
#[rustfmt::skip]
const SECTIONS: [&str; 10] = ["tenant", "carriers", "skills", "teams", "agents", "points_of_contact", "codes", "applications",
                              "quick_replies", "sign_in_providers"];

/// From the last text to the end of a session, where the file says nothing: SMS two hours, chat half an hour.
const SMS_TIMEOUT_S: i32 = 7_200;
const CHAT_TIMEOUT_S: i32 = 1_800;

type Values = Map<String, Value>;
type Rows = BTreeMap<(usize, String), Values>;

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `tenant`, `carriers`, `skills`, `teams`, `agents`, `points_of_contact`, `codes`, `applications`,
    /// `quick_replies` or `sign_in_providers`.
    pub section: &'static str,
    /// Its slug.
    pub id: String,
    /// What happens to it.
    pub what: What,
    /// Each key that differs: what it was (null where it is new) and what it becomes.
    pub keys: BTreeMap<String, (Value, Value)>,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is new, or comes back.
    Added,
    /// It was there.
    Changed,
    /// It is not in the file, and `prune` was asked for.
    Ended,
}

/// How it went.
#[derive(Debug)]
pub enum Applied {
    /// These differences were found, and written unless it was a dry run.
    Done(Vec<Change>),
    /// The database knows better: nothing was written.
    Mistaken(Vec<Mistake>),
}

/// Finds the difference and writes it; the caller commits, or rolls back a dry run.
///
/// # Errors
/// Contention or a database that is away.
pub async fn apply(tx: &Transaction<'_>, file: &TenantFile, prunes: bool) -> Result<Applied, Failure> {
    let Some(tenant) = file.tenant.as_ref().map(|tenant| &tenant.value) else { return Ok(Applied::Done(Vec::new())) };
    sql::touch(tx, "select pg_advisory_xact_lock($1, hashtext($2))", &[&SETTING_UP, tenant]).await?;
    let mistakes = taken(tx, tenant, file, prunes).await?;
    if !mistakes.is_empty() {
        return Ok(Applied::Mistaken(mistakes));
    }
    let (want, is) = (wanted(file), present(tx, tenant).await?);
    let changes = difference(&want, &is, prunes);
    if !changes.is_empty() {
        write(tx, tenant, &want, &changes).await?;
    }
    Ok(Applied::Done(changes))
}

/// The steps as a column; none: null.
fn widening(steps: &[(i32, i32)]) -> Value {
    if steps.is_empty() {
        return Value::Null;
    }
    steps.iter().map(|(after_s, worst)| json!({"after_s": after_s, "worst": worst})).collect()
}

/// Rows as the file wants them.
fn wanted(file: &TenantFile) -> Rows {
    let mut rows = Rows::new();
    let mut add = |section: &str, id: Option<String>, row: Value| {
        let place = SECTIONS.iter().position(|s| *s == section).unwrap_or(0);
        if let (Some(id), Value::Object(row)) = (id, row) {
            rows.insert((place, id), row);
        }
    };
    let slug = |at: &Option<super::reader::At<Slug>>| at.as_ref().map(|at| at.value.as_str().to_owned());
    let text = |at: &Option<super::reader::At<String>>| at.as_ref().map(|at| at.value.clone());
    add("tenant", slug(&file.tenant), of_tenant(file));
    for c in &file.carriers {
        let row = json!({"kind": text(&c.kind), "url": c.url, "settings": c.settings, "opt_outs": c.opt_outs});
        add("carriers", slug(&c.id), row);
    }
    for s in &file.skills {
        let row = json!({
            "channel": text(&s.channel), "priority": s.priority, "offer_timeout_s": s.offer_timeout_s,
            "wrap_up_s": s.wrap_up_s, "max_wait_s": s.max_wait_s, "max_wait_text": text(&s.max_wait_text),
            "overflow_skill": slug(&s.overflow_skill), "priority_per_min": s.priority_per_min,
            "priority_max": s.priority_max.max(s.priority), "accept_by_itself": s.accept_by_itself,
            "agent_choice": s.agent_choice.as_ref().map_or("best_proficiency", |at| at.value.as_str()),
            "widening": widening(&s.widening),
            "response_s": s.response_s,
            "response_reminder_s": s.response_reminder_s.as_ref().map(|at| at.value),
            "dispositions": s.dispositions.iter().map(|at| at.value.as_str()).collect::<Vec<_>>(),
            "disposition_required": s.disposition_required.as_ref().is_some_and(|at| at.value),
            "default_disposition": slug(&s.default_disposition),
        });
        add("skills", slug(&s.id), row);
    }
    for t in &file.teams {
        add(
            "teams",
            slug(&t.id),
            json!({"session_limit": t.session_limit, "sms_limit": t.sms_limit, "chat_limit": t.chat_limit}),
        );
    }
    for a in &file.agents {
        let skills: BTreeMap<&str, i32> = a.skills.iter().map(|(skill, n)| (skill.value.as_str(), *n)).collect();
        let row = json!({"team": slug(&a.team), "session_limit": a.session_limit, "sms_limit": a.sms_limit,
                         "chat_limit": a.chat_limit, "skills": skills});
        add("agents", slug(&a.id), row);
    }
    for p in &file.points {
        add("points_of_contact", slug(&p.id), of_point(p));
    }
    for c in &file.codes {
        add("codes", slug(&c.id), json!({"name": text(&c.name), "max_s": c.max_minutes * 60}));
    }
    for a in &file.applications {
        add("applications", slug(&a.id), accounts::row(file, a));
    }
    later_sections(file, &mut add);
    rows
}

/// Those that nothing of the hub's refers to.
fn later_sections(file: &TenantFile, add: &mut impl FnMut(&str, Option<String>, Value)) {
    let slug = |at: &Option<super::reader::At<Slug>>| at.as_ref().map(|at| at.value.as_str().to_owned());
    let text = |at: &Option<super::reader::At<String>>| at.as_ref().map(|at| at.value.clone());
    for r in &file.quick_replies {
        let row = json!({"title": text(&r.title), "text": text(&r.text), "skill": slug(&r.skill), "language": text(&r.language)});
        add("quick_replies", slug(&r.id), row);
    }
    for p in &file.sign_in_providers {
        let row = json!({
            "name": text(&p.name), "issuer": text(&p.issuer), "client_id": text(&p.client_id),
            "client_secret_file": text(&p.client_secret_file), "user_claim": text(&p.user_claim),
            "domains": p.domains.iter().map(|at| at.value.as_str()).collect::<Vec<_>>(),
        });
        add("sign_in_providers", slug(&p.id), row);
    }
}

fn of_point(p: &Point) -> Value {
    let slug = |at: &Option<super::reader::At<Slug>>| at.as_ref().map(|at| at.value.as_str().to_owned());
    let text = |at: &Option<super::reader::At<String>>| at.as_ref().map(|at| at.value.clone());
    let is_chat = p.channel.as_ref().is_some_and(|at| at.value == "chat");
    let timeout_s = p.session_timeout_s.unwrap_or(if is_chat { CHAT_TIMEOUT_S } else { SMS_TIMEOUT_S });
    json!({
        "channel": text(&p.channel), "number": text(&p.number), "kind": text(&p.kind), "country": text(&p.country),
        "carrier": slug(&p.carrier), "skill": slug(&p.skill), "session_timeout_s": timeout_s, "flow": slug(&p.flow),
        "origins": p.origins.iter().map(|at| at.value.as_str()).collect::<Vec<_>>(),
    })
}

fn of_tenant(file: &TenantFile) -> Value {
    let text = |at: &Option<super::reader::At<String>>| at.as_ref().map(|at| at.value.clone());
    let name = text(&file.name).unwrap_or_default();
    let texts = file.texts.iter().zip(default_texts(&name)).map(|(at, default)| text(at).unwrap_or(default));
    let texts: Vec<String> = texts.collect();
    json!({
        "name": name, "sms_messaging": file.sms_messaging.as_ref().is_some_and(|at| at.value),
        "time_zone": text(&file.time_zone), "stop": texts[0], "start": texts[1], "help": texts[2],
        "sms_slots": file.slots_of("sms"), "chat_slots": file.slots_of("chat"),
        "quiet_hours": serde_json::to_value(&file.quiet_hours.policy).unwrap_or_default(),
        "text_validity_s": file.unanswered.validity_s, "unanswered": file.unanswered.policy,
        "unanswered_after_s": file.unanswered.after_s,
        "paces": file.paces.iter().map(|pace| json!(pace.policy(numbers_of(file, pace)))).collect::<Vec<_>>(),
        "consent_scope": file.consent.scope(), "ask": file.consent.ask(&name), "consent_texts": file.consent.texts(),
        "flood_texts": file.consent.flood_texts, "flood_s": file.consent.flood_s,
    })
}

/// The numbers of a pace's points of contact.
fn numbers_of(file: &TenantFile, pace: &Pace) -> Vec<String> {
    let is_in = |id: &super::reader::At<Slug>| pace.points.iter().any(|point| point.value == id.value);
    let points = file.points.iter().filter(|point| point.id.as_ref().is_some_and(is_in));
    points.filter_map(|point| point.number.as_ref().map(|at| at.value.clone())).collect()
}

/// What STOP, START and HELP answer when the file does not say it.
fn default_texts(name: &str) -> [String; 3] {
    [
        format!("{name}: you are unsubscribed and will get no more texts. Text START to hear from us again."),
        format!("{name}: you will get our texts again. Text STOP to end them."),
        format!("{name}: write to us right here. Text STOP to end texts."),
    ]
}

/// Every row of a tenant that stands: its section's place, its id, and its keys as the file would have them.
const PRESENT: &str = "select 0 as place, id, jsonb_build_object('name', name, 'sms_messaging', sms_messaging, 'time_zone', time_zone,
                'stop', stop_text, 'start', start_text, 'help', help_text, 'sms_slots', sms_slots, 'chat_slots', chat_slots,
                'consent_scope', consent_scope, 'ask', ask_text, 'consent_texts', consent_texts, 'flood_texts', flood_texts,
                'flood_s', flood_s, 'quiet_hours', quiet_hours, 'paces', paces, 'text_validity_s', text_validity_s, 'unanswered', unanswered,
                'unanswered_after_s', unanswered_after_s) as row
         from tenants where id = $1
         union all
         select 1, id, jsonb_build_object('kind', kind, 'url', url, 'settings', settings, 'opt_outs', opt_outs)
         from carriers where tenant = $1 and ended_at is null
         union all
         select 2, id, jsonb_build_object('channel', channel, 'priority', priority, 'offer_timeout_s', offer_timeout_s,
                'wrap_up_s', wrap_up_s, 'max_wait_s', max_wait_s, 'max_wait_text', max_wait_text,
                'overflow_skill', overflow_skill, 'priority_per_min', priority_per_min,
                'priority_max', priority_max, 'agent_choice', agent_choice, 'widening', widening,
                'accept_by_itself', accept_by_itself, 'response_s', response_s,
                'response_reminder_s', response_reminder_s, 'dispositions', dispositions,
                'disposition_required', disposition_required, 'default_disposition', default_disposition)
         from skills where tenant = $1 and ended_at is null
         union all
         select 3, id, jsonb_build_object('session_limit', session_limit, 'sms_limit', sms_limit, 'chat_limit', chat_limit) from teams
         where tenant = $1 and ended_at is null
         union all
         select 4, a.id, jsonb_build_object('team', a.team, 'session_limit', a.session_limit, 'sms_limit', a.sms_limit,
                'chat_limit', a.chat_limit, 'skills',
                (select coalesce(jsonb_object_agg(s.skill, s.proficiency), '{}') from agent_skills s
                 join skills k on k.tenant = s.tenant and k.id = s.skill and k.ended_at is null
                 where s.tenant = a.tenant and s.agent = a.id))
         from agents a where a.tenant = $1 and a.ended_at is null
         union all
         select 5, id, jsonb_build_object('channel', channel, 'number', number, 'kind', kind, 'country', country,
                'carrier', carrier, 'skill', skill, 'session_timeout_s', session_timeout_s, 'flow', flow,
                'origins', origins)
         from points_of_contact where tenant = $1 and ended_at is null
         union all
         select 6, id, jsonb_build_object('name', name, 'max_s', max_s) from codes where tenant = $1 and ended_at is null
         union all
         select 7, id, jsonb_build_object('account', account, 'token_file', token_file, 'token_next_file', token_next_file,
                'numbers', numbers, 'purpose', purpose, 'inbound_url', inbound_url, 'status_url', status_url)
         from applications where tenant = $1 and ended_at is null
         union all
         select 8, id, jsonb_build_object('title', title, 'text', text, 'skill', skill, 'language', language)
         from quick_replies where tenant = $1 and ended_at is null
         union all
         select 9, id, jsonb_build_object('name', name, 'issuer', issuer, 'client_id', client_id, 'client_secret_file',
                client_secret_file, 'user_claim', user_claim, 'domains', domains)
         from oidc_providers where tenant = $1 and ended_at is null";

/// Rows as the database has them, those that were ended left out.
async fn present(tx: &Transaction<'_>, tenant: &Slug) -> Result<Rows, Failure> {
    let rows = sql::rows(tx, PRESENT, &[tenant]).await?;
    let mut found = Rows::new();
    for row in rows {
        let (place, value): (i32, Value) = (row.get("place"), row.get("row"));
        if let (Ok(place), Value::Object(values)) = (usize::try_from(place), value) {
            found.insert((place, row.get("id")), values);
        }
    }
    Ok(found)
}

fn difference(want: &Rows, is: &Rows, prunes: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for ((place, id), row) in want {
        let before = is.get(&(*place, id.clone()));
        let keys: BTreeMap<String, (Value, Value)> = row
            .iter()
            .map(|(key, value)| (key, before.and_then(|b| b.get(key)).cloned().unwrap_or_default(), value))
            .filter(|(_, was, becomes)| was != *becomes)
            .map(|(key, was, becomes)| (key.clone(), (was, becomes.clone())))
            .collect();
        if before.is_none() || !keys.is_empty() {
            let what = if before.is_none() { What::Added } else { What::Changed };
            changes.push(Change { section: SECTIONS[*place], id: id.clone(), what, keys });
        }
    }
    // what is ended goes last to first, so that nothing refers to what is gone
    for (place, id) in is.keys().rev().filter(|key| prunes && key.0 > 0 && !want.contains_key(*key)) {
        changes.push(Change { section: SECTIONS[*place], id: id.clone(), what: What::Ended, keys: BTreeMap::new() });
    }
    changes
}

async fn write(tx: &Transaction<'_>, tenant: &Slug, want: &Rows, changes: &[Change]) -> Result<(), Failure> {
    // whoever is under way in routing holds agents' rows; they are taken in its order, by id
    let lock = "select id from agents where tenant = $1 order by id for update";
    sql::rows(tx, lock, &[tenant]).await?;
    // what changes is ended for a moment, so that two points of contact can swap their numbers, two applications accounts
    let ended = |change: &&Change| change.what == What::Ended || [SECTIONS[5], SECTIONS[7]].contains(&change.section);
    for change in changes.iter().filter(ended) {
        sql::touch(tx, end_of(change.section), &[tenant, &change.id]).await?;
    }
    for (place, section) in SECTIONS.iter().enumerate() {
        let written: Vec<Value> = changes
            .iter()
            .filter(|change| change.section == *section && change.what != What::Ended)
            .filter_map(|change| {
                let mut row = want.get(&(place, change.id.clone()))?.clone();
                row.insert("id".into(), json!(change.id));
                Some(Value::Object(row))
            })
            .collect();
        if !written.is_empty() {
            for statement in upsert_of(section) {
                sql::touch(tx, statement, &[tenant, &Value::Array(written.clone())]).await?;
            }
        }
    }
    sql::touch(tx, LIMITS, &[tenant]).await?;
    let agents = sql::rows(tx, "select id from agents where tenant = $1", &[tenant]).await?;
    let agents: Vec<Slug> = agents.iter().map(|row| row.get(0)).collect();
    slot::refresh_ready(tx, tenant, &agents).await
}

/// Numbers and carriers that are another tenant's, or of a point of contact that is not in the file and stays.
async fn taken(tx: &Transaction<'_>, tenant: &Slug, file: &TenantFile, prunes: bool) -> Result<Vec<Mistake>, Failure> {
    let ids: Vec<&Slug> = file.carriers.iter().filter_map(|c| c.id.as_ref()).map(|at| &at.value).collect();
    let rows = sql::rows(tx, "select id from carriers where id = any($1) and tenant <> $2", &[&ids, tenant]).await?;
    let taken: Vec<Slug> = rows.iter().map(|row| row.get(0)).collect();
    let mut mistakes = Vec::new();
    for id in file.carriers.iter().filter_map(|c| c.id.as_ref()).filter(|id| taken.contains(&id.value)) {
        mistakes.push(Mistake {
            line: id.line,
            what: format!("the carrier {} is another tenant's", id.value),
            instead: "choose another id".into(),
        });
    }
    mistakes.extend(other_channel(tx, tenant, file).await?);
    mistakes.extend(accounts::taken(tx, tenant, file, prunes).await?);
    mistakes.extend(store::unpublished(tx, tenant, file.points.iter().filter_map(|p| p.flow.as_ref())).await?);
    for point in &file.points {
        let Some(number) = &point.number else { continue };
        let is_short = point.kind.as_ref().is_some_and(|kind| kind.value == "short");
        let country = point.country.as_ref().map(|at| at.value.as_str()).filter(|_| is_short);
        let owner = sql::row(
            tx,
            "select tenant, id from points_of_contact where number = $1 and ended_at is null and channel = 'sms'
               and case when kind = 'short' then country else '' end = coalesce($2, '')",
            &[&number.value, &country],
        )
        .await?;
        let Some(owner) = owner.map(|row| (row.get::<_, Slug>(0), row.get::<_, Slug>(1))) else { continue };
        let stays = !prunes && !file.points.iter().any(|p| p.id.as_ref().is_some_and(|id| id.value == owner.1));
        let (what, instead) = if owner.0 != *tenant {
            let instead = "a number belongs to one tenant of an installation; end it there first".to_owned();
            (format!("{:?} is another tenant's number", number.value), instead)
        } else if stays {
            let what = format!("{:?} is the number of {}, which is not in this file", number.value, owner.1);
            (what, format!("add {} to the file with another number, or end it by --prune", owner.1))
        } else {
            continue;
        };
        mistakes.push(Mistake { line: number.line, what, instead });
    }
    Ok(mistakes)
}

/// Skills of another channel than before: contacts that wait for one keep theirs, and its limits.
async fn other_channel(tx: &Transaction<'_>, tenant: &Slug, file: &TenantFile) -> Result<Vec<Mistake>, Failure> {
    let rows = sql::rows(tx, "select id, channel from skills where tenant = $1", &[tenant]).await?;
    let before: BTreeMap<Slug, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut mistakes = Vec::new();
    for skill in &file.skills {
        let (Some(id), Some(channel)) = (&skill.id, &skill.channel) else { continue };
        if let Some(before) = before.get(&id.value).filter(|before| **before != channel.value) {
            mistakes.push(Mistake {
                line: channel.line,
                what: format!("the skill {} is for {before}, and a skill keeps its channel", id.value),
                instead: format!(
                    "write channel = \"{before}\", or give the skill for {} an id of its own",
                    channel.value
                ),
            });
        }
    }
    Ok(mistakes)
}
