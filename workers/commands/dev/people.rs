//! The two sign-ins of a development stack: an agent and a supervisor of the example's tenant. Their passwords are made
//! here, kept in the stack's private state, and shown on the terminal alone.

use std::fmt::Write;

use secrecy::SecretString;
use texthub::access::password::Hashing;
use texthub::access::rights::{Role, Roles};
use texthub::access::users::{self, New};
use texthub::facts::ids::Slug;
use texthub::runtime::db;

use super::folder::State;
use super::secret;

/// The example's tenant.
const TENANT: &str = "three-bears";

/// Who they are: slug, name, roles. The first one is the agent whom offers reach first.
const PEOPLE: &[(&str, &str, &[Role])] = &[
    ("mama-bear", "Mama Bear", &[Role::Agent]),
    ("grandmother", "Grandmother", &[Role::Supervisor, Role::Administrator]),
];

/// Makes them where they are not, with the passwords of the state.
pub async fn settle(state: &mut State) -> anyhow::Result<()> {
    let pool = db::pool(&state.database_url(), "texthub dev", 1).map_err(|error| anyhow::anyhow!("{error}"))?;
    let (tenant, hashing) = (Slug::new(TENANT)?, Hashing::default());
    let said = |problem: texthub::access::problem::Problem| anyhow::anyhow!("{}", problem.sentence);
    for (id, name, roles) in PEOPLE {
        let password = state.sign_ins.entry((*id).to_owned()).or_insert_with(secret).clone();
        let (id, password) = (Slug::new(id)?, SecretString::from(password));
        let mut client = pool.get().await?;
        let tx = client.transaction().await?;
        if users::one(&tx, &tenant, &id).await?.is_none() {
            let roles = Roles(roles.iter().copied().collect());
            users::add(&tx, &tenant, &New { id: &id, name, roles: &roles, agent: None, language: "en" })
                .await
                .map_err(said)?;
        }
        let phc = users::password(&tx, &tenant, &id).await?;
        if !hashing.is_right(password.clone(), phc).await.map_err(said)? {
            let phc = hashing.hash(password).await.map_err(said)?;
            users::set_password(&tx, &tenant, &id, &phc).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Numbers of the example that a customer may text: orders, complaints.
const NUMBERS: [&str; 2] = ["%2B15550100001", "%2B18005550199"];

/// The lines that tell of them, and where to text as a customer; empty where there are none.
pub fn lines(state: &State) -> String {
    let mut lines = String::new();
    for (id, _, roles) in PEOPLE {
        if let Some(password) = state.sign_ins.get(*id) {
            let roles = roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(", ");
            let _ = writeln!(lines, "sign in as          tenant {TENANT}  user {id}  password {password}  ({roles})");
        }
    }
    if !lines.is_empty() {
        let [orders, complaints] = NUMBERS;
        let _ = writeln!(lines, "text as a customer  {}/?to={orders}&to={complaints}", state.simulator_url());
    }
    lines
}
