//! The Bears at work: skills with and without wrap-up, a small team, numbers of every kind, a web chat, and two other
//! tenants. Rows only: agents come and customers write by the workers themselves.

use deadpool_postgres::Pool;

use super::fixtures::{at, bears};

/// The number of the skill `sms`: wrap-up 30 s, sessions of two hours.
pub const MAIN: &str = "+15550100001";
/// The number of the skill `urgent`: no wrap-up, priority 5, sessions of a minute.
pub const RUSH: &str = "+15550100002";
/// A number that has ended.
pub const ENDED: &str = "+15550100003";
/// A number of a tenant whose SMS messaging is off.
pub const OFF: &str = "+15550100009";
/// A number of the other tenant, `foxes`, whose agent is `fox`.
pub const FOXES: &str = "+15550100008";

/// Agents, all logged out. papa: limit 1, best at sms; mama: 2, sms and chat; baby: 2, everything a little;
/// goldilocks: 1, second at sms; fox: of another tenant.
pub async fn den(pool: &Pool) {
    bears(pool, "http://127.0.0.1:9").await;
    let client = pool.get().await.unwrap();
    client
        .batch_execute(&format!(
            "insert into tenants (id, name, sms_messaging, time_zone, stop_text, start_text, help_text)
             values ('wolves', 'Wolves', false, 'UTC', 's', 's', 'h'), ('foxes', 'Foxes', true, 'UTC', 's', 's', 'h');
             insert into skills (tenant, id, channel, priority, offer_timeout_s, wrap_up_s, max_wait_s) values
               ('bears', 'urgent', 'sms', 5, 30, null, 600), ('bears', 'chat', 'chat', 0, 30, null, 86400),
               ('wolves', 'sms', 'sms', 0, 30, 30, 86400), ('foxes', 'sms', 'sms', 0, 30, 30, 86400);
             insert into teams (tenant, id, session_limit) values ('bears', 'den', 2), ('foxes', 'earth', 1);
             insert into agents (tenant, id, team, session_limit, slot_limit, idle_since) values
               ('bears', 'papa', 'den', 1, 1, '{zero}'), ('bears', 'mama', 'den', null, 2, '{zero}'),
               ('bears', 'baby', 'den', null, 2, '{zero}'), ('bears', 'goldilocks', 'den', 1, 1, '{zero}'),
               ('foxes', 'fox', 'earth', null, 1, '{zero}');
             insert into agent_skills (tenant, agent, skill, proficiency) values
               ('bears', 'papa', 'sms', 1), ('bears', 'papa', 'urgent', 2),
               ('bears', 'mama', 'sms', 2), ('bears', 'mama', 'chat', 1),
               ('bears', 'baby', 'sms', 3), ('bears', 'baby', 'chat', 2), ('bears', 'baby', 'urgent', 1),
               ('bears', 'goldilocks', 'sms', 2), ('foxes', 'fox', 'sms', 1);
             insert into carriers (id, tenant, kind) values
               ('wind', 'wolves', 'simulator'), ('reynard', 'foxes', 'simulator');
             insert into points_of_contact
               (tenant, id, channel, number, kind, country, carrier, skill, session_timeout_s, ended_at) values
               ('bears', 'main', 'sms', '{MAIN}', 'long', 'US', 'simulator', 'sms', 7200, null),
               ('bears', 'rush', 'sms', '{RUSH}', 'long', 'US', 'simulator', 'urgent', 60, null),
               ('bears', 'gone', 'sms', '{ENDED}', 'long', 'US', 'simulator', 'sms', 7200, '{zero}'),
               ('bears', 'web', 'chat', null, null, null, null, 'chat', 1800, null),
               ('foxes', 'fur', 'sms', '{FOXES}', 'long', 'US', 'reynard', 'sms', 7200, null),
               ('wolves', 'howl', 'sms', '{OFF}', 'long', 'US', 'wind', 'sms', 7200, null);",
            zero = at(-1000)
        ))
        .await
        .unwrap();
}
