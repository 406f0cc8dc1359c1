//! What row-level security holds back: every table is looked at, and a query that forgets the tenant sees no stranger.

use std::collections::BTreeSet;

use texthub::access::api::{Api, ROLE};
use texthub::config::Config;

use super::*;

/// Tables without row-level security, and why.
const OPEN: &[(&str, &str)] = &[
    ("refinery_schema_history", "which migrations ran"),
    ("settings", "of the installation; the gateway may not read it"),
    ("suspects", "ids of messages that ended a process; the gateway may not read it"),
    ("chat_paces", "hashes of addresses and visitors, by which nobody can be told"),
    ("sign_in_attempts", "hashes of users and addresses, by which nobody can be told"),
];

/// What the gateway writes: its own.
const WRITTEN: &[&str] = &[
    "api_tokens",
    "audit_log",
    "chat_paces",
    "chat_texts",
    "chat_visits",
    "customer_notes",
    "customers",
    "oidc_starts",
    "sign_in_attempts",
    "sign_ins",
    "users",
];

async fn names(database: &Database, sql: &str) -> BTreeSet<String> {
    let rows = database.pool.get().await.unwrap().query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect()
}

#[tokio::test]
async fn every_table_is_bound_to_the_tenant_or_says_why_not() {
    let database = Database::new().await;
    let open = "
        select relname::text from pg_class c where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
          and not (relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid))";
    let expected: BTreeSet<String> = OPEN.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(names(&database, open).await, expected, "bind_to_tenant() in the table's migration");
    let views =
        "select relname::text from pg_class where relkind in ('v', 'm') and relnamespace = 'public'::regnamespace";
    assert_eq!(names(&database, views).await, BTreeSet::new(), "a view runs as its owner");
}

#[tokio::test]
async fn the_gateway_writes_its_own_tables_alone_and_has_no_login() {
    let database = Database::new().await;
    let written = format!(
        "select distinct table_name::text from information_schema.role_table_grants
         where grantee = '{ROLE}' and privilege_type <> 'SELECT'"
    );
    assert_eq!(names(&database, &written).await, WRITTEN.iter().map(|table| (*table).to_owned()).collect());
    let proof = format!(
        "select table_name::text from information_schema.role_table_grants
         where grantee = '{ROLE}' and table_name = 'audit_log' and privilege_type in ('UPDATE', 'DELETE', 'TRUNCATE')"
    );
    assert_eq!(names(&database, &proof).await, BTreeSet::new());
    let able = format!(
        "select rolname::text from pg_roles where rolname = '{ROLE}'
           and (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)"
    );
    assert_eq!(names(&database, &able).await, BTreeSet::new());
}

/// Rows of bears and of foxes in tables of every kind: with a tenant, and by what they belong to.
async fn strangers(database: &Database) {
    let rows = "
        insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
        select gen_random_uuid(), tenant, 'sms', number, '+15550100100', id, now(), gen_random_uuid()
        from points_of_contact where channel = 'sms' and ended_at is null and tenant in ('bears', 'foxes');
        insert into entries (room_id, seq, id, direction, author, text, parts, at, written_at, caused_by)
        select id, 1, gen_random_uuid(), 'inbound', 'customer', 'of ' || tenant, 1, now(), now(), gen_random_uuid() from rooms;
        insert into users (tenant, id, name, roles) values ('bears', 'papa', 'Papa', '{agent}'), ('foxes', 'fox', 'Fox', '{agent}');
        insert into audit_log (tenant, who, what) values ('bears', 'papa', 'sign_in'), ('foxes', 'fox', 'sign_in');";
    database.pool.get().await.unwrap().batch_execute(rows).await.unwrap();
}

#[tokio::test]
async fn a_query_that_forgets_the_tenant_sees_no_strangers_row() {
    let database = Database::new().await;
    den(&database.pool).await;
    strangers(&database).await;
    let settings = [("TEXTHUB_DATABASE_URL", database.url.clone()), ("TEXTHUB_AMQP_URL", "amqp://-".to_owned())];
    let api = Api::new(&Config::of(&settings).unwrap());
    api.reach(&database.pool);
    for (tenant, other) in [("bears", "foxes"), ("foxes", "bears")] {
        let mut db = api.db(&Slug::new(tenant).unwrap()).await.unwrap();
        let tx = db.begin().await.unwrap();
        for table in ["tenants", "agents", "rooms", "users", "audit_log", "points_of_contact", "skills"] {
            let column = if table == "tenants" { "id" } else { "tenant" };
            let rows = tx.query(&format!("select distinct {column} from {table}"), &[]).await.unwrap();
            let seen: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(seen, [tenant], "{table}");
        }
        let texts = tx.query("select distinct text from entries", &[]).await.unwrap();
        assert_eq!(texts.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), [format!("of {tenant}")]);
        let taken = tx.execute("update users set name = 'taken'", &[]).await.unwrap();
        assert_eq!(taken, 1, "its own alone");
        let row = format!("insert into users (tenant, id, name, roles) values ('{other}', 'spy', 'Spy', '{{agent}}')");
        let refused = tx.batch_execute(&row).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "no row of another tenant: {refused}");
    }
    // nothing stays of it on the connection
    let client = database.pool.get().await.unwrap();
    let row =
        client.query_one("select current_user::text, current_setting('texthub.tenant', true)", &[]).await.unwrap();
    assert_ne!(row.get::<_, String>(0), ROLE);
    assert_eq!(row.get::<_, Option<String>>(1).unwrap_or_default(), "");
}

#[tokio::test]
async fn without_a_tenant_nothing_is_seen_at_all() {
    let database = Database::new().await;
    den(&database.pool).await;
    strangers(&database).await;
    let mut client = database.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(&format!("set local role {ROLE}")).await.unwrap();
    for table in ["tenants", "rooms", "entries", "users", "audit_log"] {
        let row = tx.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0, "{table}");
    }
}

#[tokio::test]
async fn a_strangers_ids_lead_to_nothing() {
    let served = Served::new().await;
    let bear = served.signed_in("bears", "queen", &["administrator", "integrator"]).await;
    let fox = served.signed_in("foxes", "reynard", &["administrator", "integrator"]).await;
    served.user("foxes", "fox", &["agent"]).await;
    let (_, id) = token(&fox, &["live"], None).await;
    let (_, sign_ins) = fox.get("/sign-ins").await;
    let sign_in = sign_ins[0]["id"].as_str().unwrap();
    for (method, path, body) in [
        (Method::DELETE, format!("/tokens/{id}"), Value::Null),
        (Method::DELETE, format!("/sign-ins/{sign_in}"), Value::Null),
        (Method::DELETE, "/users/fox/sign-ins".to_owned(), Value::Null),
        (Method::PATCH, "/users/fox".to_owned(), json!({"name": "taken"})),
        (Method::POST, "/users/fox/password".to_owned(), Value::Null),
    ] {
        assert_eq!(reason(&bear.ask(method.clone(), &path, body).await), (404, "not_found"), "{method} {path}");
    }
    for path in ["/users", "/tokens", "/audit-log", "/sign-ins"] {
        let (status, list) = bear.get(path).await;
        assert_eq!(status, 200);
        let text = list.to_string();
        assert!(!text.contains("fox") && !text.contains("reynard") && !text.contains(&id), "{path}: {text}");
    }
    assert_eq!(fox.get("/me").await.0, 200);
}
