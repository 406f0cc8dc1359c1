//! `texthub run all|ROLE…`: roles of one process, supervised, until SIGTERM or SIGINT; a second signal ends at once.

use deadpool_postgres::Pool;
use texthub::config::Config;
use texthub::hub::consent::key;
use texthub::hub::sql;
use texthub::runtime::supervisor::{Process, Readiness, Role};
use texthub::runtime::{db, faults, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs roles.
pub async fn run(names: &[String]) -> anyhow::Result<()> {
    let config = super::config()?;
    let stop = CancellationToken::new();
    listen_for_signals(&stop)?;
    telemetry::start_logs(&config);
    if let Some(at) = &config.crash_at {
        faults::arm(at);
    }
    let all = crate::roles(&config);
    let roles = chosen(&all, &crate::role_names(&config), names)?;
    let pool = db::pool(config.database(), "texthub run", config.database_pool).map_err(|e| anyhow::anyhow!("{e}"))?;
    let partitions = partitions(&pool, &config).await?;
    right_key(&pool).await?;
    let readiness = Readiness::default();
    let metrics = telemetry::start_metrics().map_err(|e| anyhow::anyhow!("{e}"))?;
    let served = roles.iter().filter_map(|role| role.routes.clone()).fold(axum::Router::new(), axum::Router::merge);
    let address = telemetry::serve(&config.http_listen, metrics, readiness.clone(), pool.clone(), stop.clone(), served)
        .await
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    tracing::info!(address, pid = std::process::id(), "health and metrics");
    let process = Process {
        amqp_url: config.amqp().to_owned(),
        name: format!("texthub {}", names.join(" ")),
        partitions,
        pool,
        listeners: all.iter().filter_map(|role| role.listener).collect(),
        roles,
        readiness,
    };
    process.run(&stop).await;
    // send_sms may have opened what another role parts with
    for role in &all {
        role.part().await;
    }
    tracing::info!("stopped");
    Ok(())
}

fn chosen(all: &[Role], known: &[&str], names: &[String]) -> anyhow::Result<Vec<Role>> {
    if names.iter().any(|name| name == "all") {
        return Ok(all.to_vec());
    }
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        anyhow::bail!("there is no role {unknown}; roles are: all {}", known.join(" "));
    }
    Ok(all.iter().filter(|role| names.iter().any(|name| name == role.name)).cloned().collect())
}

/// P is fixed at the first start; a process that was told another one must not run.
async fn partitions(pool: &Pool, config: &Config) -> anyhow::Result<u32> {
    let wait = anyhow::anyhow!("the schema is not at this program's version; run `texthub migrate` first");
    let mut version = db::version(pool).await;
    for _ in 0..60 {
        if version.as_ref().is_ok_and(|version| *version >= db::newest()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        version = db::version(pool).await;
    }
    match version {
        Ok(version) if version >= db::newest() => {}
        Ok(_) => return Err(wait),
        Err(failure) => anyhow::bail!("Postgres does not answer: {failure}"),
    }
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let asked = config.partitions.to_string();
    let store = "insert into settings (name, value) values ('partitions', $1) on conflict (name) do nothing";
    sql::touch(&tx, store, &[&asked]).await?;
    let row = sql::row(&tx, "select value from settings where name = 'partitions'", &[]).await?;
    tx.commit().await?;
    let stored: String = row.map_or(asked.clone(), |row| row.get(0));
    if stored != asked {
        anyhow::bail!(
            "this installation has {stored} partitions and TEXTHUB_PARTITIONS says {asked}; set it to {stored}, \
             or stop all processes and run `texthub partitions {asked}`"
        );
    }
    Ok(config.partitions)
}

/// A process that cannot tell forgotten customers must not run: it would text those who opted out, or nobody.
async fn right_key(pool: &Pool) -> anyhow::Result<()> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    match key::mistake(&tx).await.map_err(|failure| anyhow::anyhow!("{failure}"))? {
        Some(mistake) => anyhow::bail!("{mistake}"),
        None => Ok(()),
    }
}

fn listen_for_signals(stop: &CancellationToken) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        stop.cancel();
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        std::process::exit(1);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use texthub::config::Config;

    #[test]
    fn every_role_is_a_service_of_docker_compose() {
        let compose = include_str!("../../docker-compose.yml");
        let nowhere =
            [("TEXTHUB_DATABASE_URL", "postgres://-".to_owned()), ("TEXTHUB_AMQP_URL", "amqp://-".to_owned())];
        for role in crate::role_names(&Config::of(&nowhere).unwrap()) {
            let command = format!("command: [ run, {role} ]");
            assert_eq!(compose.matches(&command).count(), 1, "docker-compose.yml must have one service with {command}");
        }
    }
}
