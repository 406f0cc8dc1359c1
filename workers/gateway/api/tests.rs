//! The API over real rows, served on a port of the test's own; no broker. Journeys have the rest.

use std::net::SocketAddr;

use axum::Router;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use texthub::access::password::Hashing;
use texthub::access::rights::Roles;
use texthub::access::users::{self, New};
use texthub::config::Config;
use texthub::facts::ids::Slug;

use crate::gateway::Gateway;
use crate::support::database::Database;
use crate::support::den::den;

mod access;
mod customers;
mod isolation;

pub const PASSWORD: &str = "correct horse battery";

/// The API of a process without a broker, over the den's rows: tenants bears and foxes.
pub struct Served {
    pub database: Database,
    pub url: String,
}

/// A browser with its cookie, or a program with its token.
#[derive(Clone)]
pub struct Caller {
    http: Client,
    base: String,
    pub cookie: Option<String>,
    pub token: Option<String>,
}

impl Served {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(more: &[(&'static str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::new().await;
        den(&database.pool).await;
        let mut settings =
            vec![("TEXTHUB_DATABASE_URL", database.url.clone()), ("TEXTHUB_AMQP_URL", "amqp://-".to_owned())];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let gateway = Gateway::new(&Config::of(&settings).unwrap());
        gateway.api.reach(&database.pool);
        let routes: Router = super::served().with_state(gateway);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { database, url }
    }

    /// A user with [`PASSWORD`].
    pub async fn user(&self, tenant: &str, user: &str, roles: &[&str]) {
        let (tenant, id) = (Slug::new(tenant).unwrap(), Slug::new(user).unwrap());
        let roles = Roles::of(&roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>());
        let phc = Hashing::default().hash(PASSWORD.to_owned().into()).await.unwrap();
        let mut client = self.database.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let new = New { id: &id, name: user, roles: &roles, agent: None, language: "en" };
        users::add(&tx, &tenant, &new).await.unwrap();
        users::set_password(&tx, &tenant, &id, &phc).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Nobody yet.
    pub fn stranger(&self) -> Caller {
        Caller { http: Client::new(), base: self.url.clone(), cookie: None, token: None }
    }

    /// A user with [`PASSWORD`] who has signed in.
    pub async fn signed_in(&self, tenant: &str, user: &str, roles: &[&str]) -> Caller {
        self.user(tenant, user, roles).await;
        self.stranger().enter(tenant, user, PASSWORD).await
    }

    /// Runs statements as the owner.
    pub async fn execute(&self, sql: &str) {
        self.database.pool.get().await.unwrap().batch_execute(sql).await.unwrap();
    }

    /// One value, as the owner.
    pub async fn one<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, sql: &str) -> T {
        self.database.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }

    /// The deeds of a tenant in the audit log, in order, as `who what on`.
    pub async fn deeds(&self, tenant: &str) -> Vec<String> {
        let text =
            "select who || ' ' || what || ' ' || coalesce(on_id, '') from audit_log where tenant = $1 order by nr";
        let rows = self.database.pool.get().await.unwrap().query(text, &[&tenant]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0).trim_end().to_owned()).collect()
    }
}

impl Caller {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = if path.starts_with("/api") { path.to_owned() } else { format!("/api/v1{path}") };
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie).header("sec-fetch-site", "same-origin");
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The answer: its status, and its body (null where it has none).
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        answer(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, body).await
    }

    /// Tries to sign in.
    pub async fn try_enter(&self, tenant: &str, user: &str, password: &str) -> Response {
        let body = json!({"tenant": tenant, "user": user, "password": password});
        self.http.post(format!("{}/api/v1/sign-in", self.base)).json(&body).send().await.unwrap()
    }

    /// Signs in.
    pub async fn enter(&self, tenant: &str, user: &str, password: &str) -> Self {
        let answer = self.try_enter(tenant, user, password).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { cookie: Some(cookie), ..self.clone() }
    }
}

/// Status and body; a problem is one by its type, too.
pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    if status >= 400 {
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{text}");
    }
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The reason of a problem with its status.
pub fn reason((status, body): &(u16, Value)) -> (u16, &str) {
    (*status, body["reason"].as_str().unwrap_or_default())
}

/// A token's caller.
pub async fn token(by: &Caller, scopes: &[&str], agent: Option<&str>) -> (Caller, String) {
    let body = json!({"name": "Shop", "scopes": scopes, "agent": agent});
    let (status, made) = by.post("/tokens", body).await;
    assert_eq!(status, 201, "{made}");
    let secret: secrecy::SecretString = made["secret"].as_str().unwrap().into();
    let caller = Caller { cookie: None, token: Some(secret.expose_secret().to_owned()), ..by.clone() };
    (caller, made["id"].as_str().unwrap().to_owned())
}
