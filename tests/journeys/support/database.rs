//! A database per test, cloned from a template that holds the migrated schema. The server is the one that
//! `TEXTHUB_DATABASE_URL` names. Dropped with the value.

use std::collections::BTreeMap;

use deadpool_postgres::Pool;
use sha2::{Digest, Sha256};
use texthub::runtime::db;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;
use uuid::Uuid;

/// Of the lock under which the template is made: an arbitrary number of our own.
const MAKING: i64 = 0x7465_7874_6875_6202;

/// A migrated database of a test's own.
pub struct Database {
    /// To it.
    pub pool: Pool,
    /// Its URL.
    pub url: String,
    name: String,
}

impl Database {
    /// Clones the template.
    pub async fn new() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(template).await;
        let name = format!("texthub_test_{}", Uuid::new_v4().simple());
        execute(&format!("create database {name} template {template}")).await;
        let url = url_of(&name);
        let pool = db::pool(&url, "texthub test", 8).unwrap();
        Self { pool, url, name }
    }

    /// The database at this URL, migrated; whoever made it drops it.
    pub async fn at(url: &str) -> Self {
        let pool = db::pool(url, "texthub test", 8).unwrap();
        db::migrate(&pool).await.unwrap();
        Self { pool, url: url.to_owned(), name: String::new() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let drop = format!("drop database if exists {} with (force)", self.name);
        // a thread of its own: the test's runtime may be at its end
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(execute(&drop));
        });
        let _ = dropped.join();
    }
}

/// The server's URL.
pub fn server() -> String {
    std::env::var("TEXTHUB_DATABASE_URL").expect("TEXTHUB_DATABASE_URL; `./dev test` sets it")
}

fn url_of(database: &str) -> String {
    let server = server();
    let (server, query) = server.split_once('?').map_or((server.as_str(), None), |(s, q)| (s, Some(q)));
    let at = server.find("//").map_or(0, |at| at + 2);
    let end = server[at..].find('/').map_or(server.len(), |slash| at + slash);
    let query = query.map(|q| format!("?{q}")).unwrap_or_default();
    format!("{}/{database}{query}", &server[..end])
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn execute(statement: &str) {
    connect(&server()).await.batch_execute(statement).await.unwrap();
}

/// Makes the template unless another test binary has: its name tells the migrations it was made from.
async fn template() -> String {
    let mut files = BTreeMap::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap() {
        let path = file.unwrap().path();
        files.insert(path.clone(), std::fs::read(path).unwrap());
    }
    let mut hash = Sha256::new();
    for text in files.values() {
        hash.update(text);
    }
    let name = format!("texthub_template_{:x}", u64::from_be_bytes(hash.finalize()[..8].try_into().unwrap()));
    let client = connect(&server()).await;
    client.execute("select pg_advisory_lock($1)", &[&MAKING]).await.unwrap();
    let made = client.query_opt("select 1 from pg_database where datname = $1", &[&name]).await.unwrap();
    if made.is_none() {
        let draft = format!("{name}_draft");
        client.batch_execute(&format!("drop database if exists {draft} with (force)")).await.unwrap();
        client.batch_execute(&format!("create database {draft}")).await.unwrap();
        let pool = db::pool(&url_of(&draft), "texthub test", 2).unwrap();
        db::migrate(&pool).await.unwrap();
        pool.close();
        let still = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{draft}'");
        client.batch_execute(&still).await.unwrap();
        client.batch_execute(&format!("alter database {draft} rename to {name}")).await.unwrap();
    }
    client.execute("select pg_advisory_unlock($1)", &[&MAKING]).await.unwrap();
    name
}
