//! What `apply` writes: the statements of each section of a tenant file. They set rows to what the file says, whatever
//! stood there; nothing is deleted but what an agent no longer has a skill of.

/// Each agent's limits: the user's, else the team's. What is lowered below use evicts nobody, and admits nobody from now on.
pub(super) const LIMITS: &str = "update agents a
     set slot_limit = l.slot_limit, sms_most = l.sms_most, chat_most = l.chat_most, limit_set_at = clock_timestamp()
     from (select a.id, coalesce(a.session_limit, t.session_limit) as slot_limit,
                  coalesce(a.sms_limit, t.sms_limit, 12) as sms_most, coalesce(a.chat_limit, t.chat_limit, 12) as chat_most
           from agents a join teams t on t.tenant = a.tenant and t.id = a.team where a.tenant = $1) l
     where a.tenant = $1 and a.id = l.id
       and (a.slot_limit, a.sms_most, a.chat_most) <> (l.slot_limit, l.sms_most, l.chat_most)";

const TENANT: &[&str] = &["insert into tenants as t (id, name, sms_messaging, time_zone, stop_text, start_text, help_text, sms_slots,
               chat_slots, consent_scope, ask_text, consent_texts, flood_texts, flood_s, quiet_hours, paces,
               text_validity_s, unanswered, unanswered_after_s)
             select $1, name, sms_messaging, time_zone, stop, start, help, sms_slots, chat_slots, consent_scope, ask,
               nullif(consent_texts, 'null'), flood_texts, flood_s,
               quiet_hours, paces, text_validity_s, unanswered, unanswered_after_s
             from jsonb_to_recordset($2) as x (name text, sms_messaging boolean, time_zone text, stop text, start text, help text,
               sms_slots integer, chat_slots integer, consent_scope text, ask text, consent_texts jsonb, flood_texts integer,
               flood_s integer, quiet_hours jsonb, paces jsonb, text_validity_s integer, unanswered text,
               unanswered_after_s integer)
             on conflict (id) do update set name = excluded.name, sms_messaging = excluded.sms_messaging,
               time_zone = excluded.time_zone, stop_text = excluded.stop_text, start_text = excluded.start_text,
               help_text = excluded.help_text, sms_slots = excluded.sms_slots, chat_slots = excluded.chat_slots,
               consent_scope = excluded.consent_scope, ask_text = excluded.ask_text, consent_texts = excluded.consent_texts,
               flood_texts = excluded.flood_texts, flood_s = excluded.flood_s,
               quiet_hours = excluded.quiet_hours, paces = excluded.paces,
               text_validity_s = excluded.text_validity_s, unanswered = excluded.unanswered,
               unanswered_after_s = excluded.unanswered_after_s,
               slots_set_at = case when (t.sms_slots, t.chat_slots) = (excluded.sms_slots, excluded.chat_slots)
                                   then t.slots_set_at else clock_timestamp() end"];

const SKILLS: &[&str] = &[
    // one that comes back begins without the agents of its former life
    "delete from agent_skills s using jsonb_to_recordset($2) as x (id text), skills k
             where s.tenant = $1 and s.skill = x.id and k.tenant = $1 and k.id = x.id and k.ended_at is not null",
    "insert into skills (tenant, id, channel, priority, offer_timeout_s, wrap_up_s, max_wait_s, priority_per_min,
               priority_max, agent_choice, widening, accept_by_itself, response_s, response_reminder_s, dispositions,
               disposition_required, default_disposition, max_wait_text, overflow_skill)
             select $1, id, channel, priority, offer_timeout_s, wrap_up_s, max_wait_s, priority_per_min,
               priority_max, agent_choice, nullif(widening, 'null'), accept_by_itself, response_s, response_reminder_s,
               dispositions, disposition_required, default_disposition, max_wait_text, overflow_skill
             from jsonb_populate_recordset(null::skills, $2)
             on conflict (tenant, id) do update set channel = excluded.channel, priority = excluded.priority,
               offer_timeout_s = excluded.offer_timeout_s, wrap_up_s = excluded.wrap_up_s,
               max_wait_s = excluded.max_wait_s, max_wait_text = excluded.max_wait_text,
               overflow_skill = excluded.overflow_skill, priority_per_min = excluded.priority_per_min,
               priority_max = excluded.priority_max, agent_choice = excluded.agent_choice,
               widening = excluded.widening, accept_by_itself = excluded.accept_by_itself,
               response_s = excluded.response_s, response_reminder_s = excluded.response_reminder_s,
               dispositions = excluded.dispositions, disposition_required = excluded.disposition_required,
               default_disposition = excluded.default_disposition, ended_at = null",
];

const AGENTS: &[&str] = &[
    "insert into agents as a (tenant, id, team, session_limit, sms_limit, chat_limit, slot_limit, sms_most, chat_most)
             select $1, x.id, x.team, x.session_limit, x.sms_limit, x.chat_limit,
                    coalesce(x.session_limit, t.session_limit), coalesce(x.sms_limit, t.sms_limit, 12),
                    coalesce(x.chat_limit, t.chat_limit, 12)
             from jsonb_to_recordset($2)
               as x (id text, team text, session_limit integer, sms_limit integer, chat_limit integer)
             join teams t on t.tenant = $1 and t.id = x.team
             on conflict (tenant, id) do update set team = excluded.team, session_limit = excluded.session_limit,
               sms_limit = excluded.sms_limit, chat_limit = excluded.chat_limit, ended_at = null",
    "delete from agent_skills s using jsonb_to_recordset($2) as x (id text, skills jsonb)
             where s.tenant = $1 and s.agent = x.id and not x.skills ? s.skill
               -- who waits for a skill that was ended is still to be served
               and exists (select 1 from skills k where k.tenant = $1 and k.id = s.skill and k.ended_at is null)",
    "insert into agent_skills (tenant, agent, skill, proficiency)
             select $1, x.id, k.key, k.value::integer
             from jsonb_to_recordset($2) as x (id text, skills jsonb), jsonb_each_text(x.skills) k
             on conflict (tenant, agent, skill) do update set proficiency = excluded.proficiency",
];

/// The statement that ends a row of a section: $1 the tenant, $2 its id.
pub(super) fn end_of(section: &str) -> &'static str {
    match section {
        "carriers" => "update carriers set ended_at = now() where tenant = $1 and id = $2",
        "skills" => "update skills set ended_at = now() where tenant = $1 and id = $2",
        "teams" => "update teams set ended_at = now() where tenant = $1 and id = $2",
        "codes" => "update codes set ended_at = now() where tenant = $1 and id = $2",
        "applications" => "update applications set ended_at = now() where tenant = $1 and id = $2",
        "quick_replies" => "update quick_replies set ended_at = now() where tenant = $1 and id = $2",
        "sign_in_providers" => "update oidc_providers set ended_at = now() where tenant = $1 and id = $2",
        "agents" => "update agents set ended_at = now() where tenant = $1 and id = $2",
        _ => "update points_of_contact set ended_at = now() where tenant = $1 and id = $2",
    }
}

/// The statements that write rows of a section: $1 the tenant, $2 the rows as a JSON list.
pub(super) fn upsert_of(section: &str) -> &'static [&'static str] {
    match section {
        "tenant" => TENANT,
        "carriers" => &["insert into carriers (tenant, id, kind, url, settings, opt_outs)
             select $1, id, kind, url, settings, opt_outs
             from jsonb_to_recordset($2) as x (id text, kind text, url text, settings jsonb, opt_outs text)
             on conflict (id) do update set kind = excluded.kind, url = excluded.url, settings = excluded.settings,
               opt_outs = excluded.opt_outs, ended_at = null, paused_at = null, paused_why = null"],
        "skills" => SKILLS,
        "teams" => &["insert into teams (tenant, id, session_limit, sms_limit, chat_limit)
             select $1, id, session_limit, sms_limit, chat_limit
             from jsonb_to_recordset($2) as x (id text, session_limit integer, sms_limit integer, chat_limit integer)
             on conflict (tenant, id) do update set session_limit = excluded.session_limit,
               sms_limit = excluded.sms_limit, chat_limit = excluded.chat_limit, ended_at = null"],
        "codes" => &["insert into codes (tenant, id, name, max_s)
             select $1, id, name, max_s from jsonb_to_recordset($2) as x (id text, name text, max_s integer)
             on conflict (tenant, id) do update set name = excluded.name, max_s = excluded.max_s, ended_at = null"],
        "agents" => AGENTS,
        "applications" => &["insert into applications
               (tenant, id, account, token_file, token_next_file, numbers, purpose, inbound_url, status_url)
             select $1, id, account, token_file, token_next_file, nullif(numbers, 'null'), purpose, inbound_url, status_url
             from jsonb_to_recordset($2) as x (id text, account text, token_file text, token_next_file text, numbers jsonb,
               purpose text, inbound_url text, status_url text)
             on conflict (tenant, id) do update set account = excluded.account, token_file = excluded.token_file,
               token_next_file = excluded.token_next_file, numbers = excluded.numbers, purpose = excluded.purpose,
               inbound_url = excluded.inbound_url, status_url = excluded.status_url, ended_at = null, failures = 0,
               paused_until = null"],
        "quick_replies" => &["insert into quick_replies (tenant, id, title, text, skill, language)
             select $1, id, title, text, skill, language
             from jsonb_to_recordset($2) as x (id text, title text, text text, skill text, language text)
             on conflict (tenant, id) do update set title = excluded.title, text = excluded.text, skill = excluded.skill,
               language = excluded.language, ended_at = null"],
        "sign_in_providers" => &["insert into oidc_providers
               (tenant, id, name, issuer, client_id, client_secret_file, domains, user_claim)
             select $1, id, name, issuer, client_id, client_secret_file, domains, user_claim
             from jsonb_to_recordset($2) as x (id text, name text, issuer text, client_id text, client_secret_file text,
               domains text[], user_claim text)
             on conflict (tenant, id) do update set name = excluded.name, issuer = excluded.issuer,
               client_id = excluded.client_id, client_secret_file = excluded.client_secret_file,
               domains = excluded.domains, user_claim = excluded.user_claim, ended_at = null"],
        _ => &["insert into points_of_contact
               (tenant, id, channel, number, kind, country, carrier, skill, session_timeout_s, flow, origins)
             select $1, id, channel, number, kind, country, carrier, skill, session_timeout_s, flow, origins
             from jsonb_to_recordset($2) as x (id text, channel text, number text, kind text, country text, carrier text,
               skill text, session_timeout_s integer, flow text, origins jsonb)
             on conflict (tenant, id) do update set channel = excluded.channel, number = excluded.number,
               kind = excluded.kind, country = excluded.country, carrier = excluded.carrier, skill = excluded.skill,
               session_timeout_s = excluded.session_timeout_s, flow = excluded.flow,
               origins = excluded.origins, ended_at = null"],
    }
}
