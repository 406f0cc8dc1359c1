//! texthub: the workers (a file each), the commands beside them, and the list of both.

mod call_webhook;
mod carrier_simulator;
mod commands;
mod expire_session;
mod fetch_media;
mod gateway;
mod join_parts;
mod keep_dead;
mod move_contact;
mod notify_application;
mod post_reply;
mod receive_sms;
mod reconcile;
mod record_receipt;
mod resolve_sms;
mod route_contact;
mod run_flow;
mod send_sms;
mod settle_offer;
mod smpp;
mod track_agent;
mod wrap_up;

#[cfg(test)]
mod readme;
#[cfg(test)]
mod rehearsal;
#[cfg(test)]
#[path = "../tests/journeys/support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use texthub::amqp::topology::Listener;
use texthub::config::Config;
use texthub::runtime::single::Each;
use texthub::runtime::supervisor::Role;
use texthub::sms::carrier::Surroundings;

/// An open SMS contact-center hub on `RabbitMQ` and Postgres.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run roles in this process: `all`, or workers by name.
    Run {
        /// `all`, or names of roles.
        #[arg(required = true)]
        roles: Vec<String>,
    },
    /// Bring the database schema to this program's version.
    Migrate,
    /// Set up a tenant from its file.
    Apply(commands::apply::Asked),
    /// List and show what was said.
    Transcripts(commands::transcripts::Asked),
    /// Add, list, reset and end the users of a tenant.
    #[command(subcommand)]
    Users(commands::users::Asked),
    /// List the media of customers' texts, and hand out their contents.
    #[command(subcommand)]
    Media(commands::media::Asked),
    /// End one contact, or all of an agent, a skill or a tenant.
    End(commands::end::Asked),
    /// List, show, replay and drop the messages that were set aside.
    #[command(subcommand)]
    Dead(commands::dead::Asked),
    /// Show the connections to carriers, and resume one that was paused.
    #[command(subcommand)]
    Carriers(commands::carriers::Asked),
    /// Check every invariant, from rows.
    Audit(commands::audit::Asked),
    /// Check, publish, list and simulate routing flows.
    #[command(subcommand)]
    Flow(commands::flow::Asked),
    /// Ask the process at `TEXTHUB_HTTP_LISTEN` whether it is ready.
    Health,
    /// Change the number of partitions, while nothing runs.
    Partitions(commands::partitions::Asked),
    /// Who opted out or in, and the proof: list, show, export, import, opt-out, opt-in, ask, forget, judge.
    #[command(subcommand)]
    Consent(Box<commands::consent::Asked>),
    /// Block senders, and show whose texts do nothing.
    #[command(subcommand)]
    Block(commands::block::Asked),
    /// Show rooms, queue, agents and timers, live.
    Watch(commands::watch::Asked),
    /// Tell why a contact is where it is, and why each agent does not get it.
    Why(commands::why::Asked),
    /// Replay a day of contacts on a virtual clock against one tenant file, or two side by side.
    Simulate(commands::simulate::Asked),
    /// Play customers and agents in front of a live view.
    Demo(commands::demo::Asked),
    /// Send texts of a file as inbound.
    Replay(commands::replay::Asked),
    /// Show the parts of a text, and what smart encoding would make of it.
    #[command(subcommand)]
    Sms(commands::sms::Asked),
    /// Print the public contract as an `AsyncAPI` 3.0 document.
    Asyncapi,
    /// Print the gateway's API as an OpenAPI document.
    Openapi,
    /// A whole stack on this machine, with servers of its own.
    Dev(commands::dev::Asked),
    /// Measure the pipeline beside a raw loop.
    Bench(commands::bench::Asked),
}

/// Every role there is; `run all` runs them all.
fn roles(config: &Config) -> Vec<Role> {
    let around = Surroundings {
        simulator_url: config.simulator_url.clone(),
        public_url: config.public_url.clone(),
        ..Surroundings::default()
    };
    let mut roles = vec![
        Role::worker(receive_sms::ReceiveSms),
        Role::worker(route_contact::RouteContact),
        Role::worker(Each(settle_offer::SettleOffer)),
        Role::worker(post_reply::PostReply),
        Role::caller(send_sms::SendSms::new(around.clone())),
        Role::caller(resolve_sms::ResolveSms::new(around.clone())),
        Role::worker(record_receipt::RecordReceipt),
        Role::worker(expire_session::ExpireSession),
        Role::worker(Each(wrap_up::WrapUp)),
        Role::worker(Each(join_parts::JoinParts)),
        Role::worker(Each(track_agent::TrackAgent)),
        Role::worker(Each(move_contact::MoveContact)),
        Role::worker(Each(run_flow::RunFlow::default())),
        Role::caller(call_webhook::CallWebhook::new(config.webhook_private.clone())),
        Role::caller(notify_application::NotifyApplication::new(config.webhook_private.clone())),
        Role::caller(fetch_media::FetchMedia::new(config.webhook_private.clone(), around.clone(), config.media_bytes)),
        Role::pass("reconcile", reconcile::Match),
        Role::pass("reconcile", reconcile::Sweep::default()),
        Role::pass("reconcile", reconcile::release::Release),
        Role::pass("reconcile", reconcile::media::Media),
        Role::pass("reconcile", reconcile::untold::Untold),
    ];
    roles.push(gateway::role(config));
    roles.push(gateway::chat::role(config));
    roles.push(smpp::role(around));
    roles.push(carrier_simulator::role(config));
    let workers: Vec<&'static str> = roles.iter().filter_map(|role| role.listener.map(|l| l.name)).collect();
    for worker in workers {
        roles.push(Role::task("keep_dead", move |host| Box::pin(keep_dead::run(host, worker))));
    }
    roles
}

/// What the workers hear, whatever the settings.
fn listeners() -> Vec<Listener> {
    let nowhere = [("TEXTHUB_DATABASE_URL", "postgres://-".to_owned()), ("TEXTHUB_AMQP_URL", "amqp://-".to_owned())];
    let config = Config::of(&nowhere).unwrap_or_else(|mistakes| unreachable!("{mistakes}"));
    roles(&config).iter().filter_map(|role| role.listener).collect()
}

/// Names of the roles, each once.
fn role_names(config: &Config) -> Vec<&'static str> {
    let mut names: Vec<&str> = roles(config).iter().map(|role| role.name).collect();
    names.dedup();
    names
}

#[tokio::main]
async fn main() -> ExitCode {
    // reqwest takes the process' provider of cryptography; there can be but one
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match Arguments::parse().command {
        Command::Run { roles } => commands::run::run(&roles).await,
        Command::Migrate => commands::setup::migrate().await,
        Command::Apply(asked) => commands::apply::run(&asked).await,
        Command::Transcripts(asked) => commands::transcripts::run(&asked).await,
        Command::Users(asked) => commands::users::run(&asked).await,
        Command::Media(asked) => commands::media::run(&asked).await,
        Command::End(asked) => commands::end::run(&asked).await,
        Command::Dead(asked) => commands::dead::run(&asked).await,
        Command::Carriers(asked) => commands::carriers::run(&asked).await,
        Command::Audit(asked) => commands::audit::run(&asked).await,
        Command::Flow(asked) => commands::flow::run(&asked).await,
        Command::Health => commands::health::run().await,
        Command::Partitions(asked) => commands::partitions::run(&asked).await,
        Command::Consent(asked) => commands::consent::run(&asked).await,
        Command::Block(asked) => commands::block::run(&asked).await,
        Command::Watch(asked) => commands::watch::run(&asked).await,
        Command::Why(asked) => commands::why::run(&asked).await,
        Command::Simulate(asked) => commands::simulate::run(&asked).await,
        Command::Replay(asked) => commands::replay::run(&asked).await,
        Command::Demo(asked) => commands::demo::run(&asked).await,
        Command::Sms(asked) => commands::sms::run(&asked).await,
        Command::Asyncapi => {
            commands::asyncapi::run();
            Ok(())
        }
        Command::Openapi => commands::openapi::run(),
        Command::Dev(asked) => commands::dev::run(&asked).await,
        Command::Bench(asked) => commands::bench::run(&asked).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("texthub: {error:#}");
            ExitCode::FAILURE
        }
    }
}
