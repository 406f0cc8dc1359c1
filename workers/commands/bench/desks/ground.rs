//! What desks stand on: a conversation of each agent that is under way, and a token for each.

use deadpool_postgres::Pool;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use texthub::access::secret;
use texthub::facts::ids::Slug;
use texthub::runtime::clock;
use uuid::Uuid;

use super::super::ground::Ground;

/// A conversation and a token for each agent.
pub async fn conversations(pool: &Pool, ground: &Ground, agents: usize) -> anyhow::Result<Vec<String>> {
    let tenant = Slug::new(&ground.tenant)?;
    let now = clock::near();
    let deadline = now.checked_add(SignedDuration::from_secs(7_200))?;
    let ids = |count: usize| -> Vec<Uuid> { (0..count).map(|_| clock::new_id()).collect() };
    let (rooms, contacts, sessions, tokens) = (ids(agents), ids(agents), ids(agents), ids(agents));
    let customers: Vec<String> = (0..agents).map(|nr| format!("+888{nr:011}")).collect();
    let names: Vec<String> = (1..=agents).map(|nr| format!("agent-{nr}")).collect();
    let mut minted = Vec::with_capacity(agents);
    for _ in 0..agents {
        minted.push(secret::mint(secret::TOKEN, &tenant).map_err(|problem| anyhow::anyhow!("{}", problem.sentence))?);
    }
    let hashes: Vec<&[u8]> = minted.iter().map(|minted| minted.sha256.as_slice()).collect();
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    tx.execute("update tenants set flood_texts = 10000 where id = $1", &[&tenant]).await?;
    tx.execute(
        "insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, agent, agents, caused_by)
         select id, $1, 'sms', $2, customer, 'main', $3, agent, array[agent], id
         from unnest($4::uuid[], $5::text[], $6::text[]) as r (id, customer, agent)",
        &[&tenant, &ground.number, &now, &rooms, &customers, &names],
    )
    .await?;
    tx.execute(
        "insert into contacts (id, tenant, room_id, channel, skill, state, priority, queued_at, opened_at, waiting_since, agent,
                               accepted_at, held_since, caused_by)
         select id, $1, room, 'sms', 'sms', 'active', 0, $2, $2, $2, agent, $2, $2, id
         from unnest($3::uuid[], $4::uuid[], $5::text[]) as c (id, room, agent)",
        &[&tenant, &now, &contacts, &rooms, &names],
    )
    .await?;
    tx.execute(
        "insert into sessions (id, tenant, room_id, contact_id, agent, started_at, timeout_s, deadline_at, timer_due_at)
         select id, $1, room, contact, agent, $2, 7200, $3, $3
         from unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[]) as s (id, room, contact, agent)",
        &[&tenant, &now, &deadline, &sessions, &rooms, &contacts, &names],
    )
    .await?;
    tx.execute("update agents set slots_used = 1, sms_used = 1 where tenant = $1 and id = any($2)", &[&tenant, &names])
        .await?;
    tx.execute(
        "insert into api_tokens (tenant, id, name, token_sha256, scopes, agent, created_by)
         select $1, id, agent, hash, '{work}', agent, 'bench'
         from unnest($2::uuid[], $3::bytea[], $4::text[]) as t (id, hash, agent)",
        &[&tenant, &tokens, &hashes, &names],
    )
    .await?;
    tx.commit().await?;
    client.batch_execute("analyze rooms, contacts, sessions, api_tokens").await?;
    Ok(minted.iter().map(|minted| minted.secret.expose_secret().to_owned()).collect())
}

/// Takes the tokens away, and what was noted of them.
pub async fn end(pool: &Pool, ground: &Ground) -> anyhow::Result<()> {
    let client = pool.get().await?;
    let tenant = &ground.tenant;
    client
        .batch_execute(&format!(
            "begin; alter table audit_log disable trigger user; delete from audit_log where tenant = '{tenant}';
             alter table audit_log enable trigger user; delete from api_tokens where tenant = '{tenant}'; commit;"
        ))
        .await?;
    Ok(())
}
