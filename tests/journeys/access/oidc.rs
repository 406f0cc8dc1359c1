//! People sign in by a company's login: npm's oidc-provider, which is not ours, checks what we say and we what it says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use reqwest::Url;

use super::*;

const SECRET: &str = "the-secret-of-a-client";

/// The login of a company.
struct Company {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    issuer: String,
}

impl Company {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/oidc/provider.mjs");
        let mut command = Command::new("node");
        let mut child =
            command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut company = Self { child, to, from, issuer: String::new() };
        company.issuer = company.line();
        company
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the provider is gone: `npm ci --prefix scripts/oidc`");
        line.trim().to_owned()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.to, "{line}").unwrap();
        assert_eq!(self.line(), "done");
    }

    /// Who stands in front of the browser from now on.
    fn login(&mut self, sub: &str, email: &str, is_verified: bool) {
        self.say(&format!("login {}", json!({"sub": sub, "email": email, "email_verified": is_verified})));
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser with cookies, which follows wherever it is led.
#[derive(Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    async fn get(&mut self, url: &str) -> Response {
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = browser().get(url).header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.0.remove(name)
            } else {
                self.0.insert(name.to_owned(), value.to_owned())
            };
        }
        answer
    }

    /// Follows until the gateway's callback has answered: where that leads.
    async fn follow(&mut self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        for _ in 0..12 {
            let answer = self.get(url.as_str()).await;
            let status = answer.status();
            let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
            let Some(to) = to else { panic!("{status} at {url}: {}", answer.text().await.unwrap()) };
            if url.path() == "/api/v1/oidc/callback" {
                return to;
            }
            url = url.join(&to).unwrap();
        }
        panic!("led round in circles");
    }

    fn session(&self) -> Option<String> {
        self.0.get("texthub_session").map(|value| format!("texthub_session={value}"))
    }
}

/// The company's login as a provider of the example's tenant, and a gateway.
async fn company() -> (Stack, Process, Company) {
    let mut stack = Stack::new().await;
    stack.webhook_private = "127.0.0.1";
    let mut company = Company::start();
    let secret = stack.file("secret", &format!("{SECRET}\n"));
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")).unwrap();
    let provider = format!(
        "\n[[sign_in_providers]]\nid = \"company\"\nname = \"Company login\"\nissuer = \"{}\"\nclient_id = \"texthub\"\n\
         client_secret_file = \"{secret}\"\ndomains = [\"bears.example\"]\n",
        company.issuer
    );
    let file = stack.file("bears.toml", &(example + &provider));
    stack.command(&["apply", &file]).success();
    assert_eq!(stack.command(&["apply", &file]).success(), "nothing to change\n");
    stack.command(&["users", "add", BEARS, "mama-bear", "--role", "agent"]).success();
    let process = stack.start(&["gateway"]).await;
    company.say(&format!("client {SECRET} {}/api/v1/oidc/callback", process.url()));
    (stack, process, company)
}

#[tokio::test]
async fn whoever_the_companys_login_vouches_for_signs_in_without_a_password() {
    let (stack, process, mut company) = company().await;
    let list = browser().get(format!("{}/api/v1/oidc/{BEARS}/providers", process.url())).send().await.unwrap();
    assert_eq!(list.json::<Value>().await.unwrap(), json!([{"id": "company", "name": "Company login"}]));
    let start = format!("{}/api/v1/oidc/{BEARS}/company/start", process.url());
    company.login("7001", "Mama.Bear@bears.example", true);
    let mut jar = Jar::default();
    assert_eq!(jar.follow(&start).await, "/");
    let (status, shown) = me(&process, &jar.session().unwrap()).await;
    assert_eq!((status, &shown["user"]["id"], &shown["password_due"]), (200, &json!("mama-bear"), &json!(false)));
    // from now on the subject is it, whatever the address
    company.login("7001", "mrs.bear@bears.example", true);
    let mut jar = Jar::default();
    assert_eq!(jar.follow(&start).await, "/");
    assert_eq!(me(&process, &jar.session().unwrap()).await.1["user"]["id"], "mama-bear");
    let nobody_s = [
        ("7002", "mama.bear@bears.example", true),
        ("7003", "mama.bear@evil.example", true),
        ("7004", "mama.bear@bears.example", false),
        ("7001", "mama.bear@evil.example", true),
        ("7005", "stranger@bears.example", true),
    ];
    for (sub, email, is_verified) in nobody_s {
        company.login(sub, email, is_verified);
        let mut jar = Jar::default();
        assert_eq!(jar.follow(&start).await, "/?sign_in=no_user", "{sub} {email}");
        assert_eq!(jar.session(), None);
    }
    company.say("refuse");
    assert_eq!(Jar::default().follow(&start).await, "/?sign_in=refused");
    let client = stack.database.pool.get().await.unwrap();
    let row = client
        .query_one("select count(*), min(detail->>'provider') from audit_log where what = 'sign_in'", &[])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, String>(1).as_str()), (2, "company"));
    client.batch_execute("update users set ended_at = now()").await.unwrap();
    company.login("7001", "mama.bear@bears.example", true);
    assert_eq!(Jar::default().follow(&start).await, "/?sign_in=no_user", "who has ended");
}

#[tokio::test]
async fn a_way_back_is_for_the_browser_that_went_and_for_once() {
    let (stack, process, mut company) = company().await;
    company.login("7001", "mama.bear@bears.example", true);
    let start = format!("{}/api/v1/oidc/{BEARS}/company/start", process.url());
    // led as far as the callback, which somebody else then calls
    let (mut jar, mut url) = (Jar::default(), Url::parse(&start).unwrap());
    while url.path() != "/api/v1/oidc/callback" {
        let answer = jar.get(url.as_str()).await;
        url = url.join(answer.headers()["location"].to_str().unwrap()).unwrap();
    }
    assert!(url.query().unwrap().contains("code="));
    assert_eq!(Jar::default().follow(url.as_str()).await, "/?sign_in=expired", "another browser");
    let mut forged = url.clone();
    forged.set_query(Some(&url.query().unwrap().replace("state=three-bears.", "state=foxes.")));
    assert_eq!(Jar(jar.0.clone()).follow(forged.as_str()).await, "/?sign_in=expired");
    let once = jar.0.clone();
    assert_eq!(jar.follow(url.as_str()).await, "/");
    assert_eq!(Jar(once).follow(url.as_str()).await, "/?sign_in=expired", "a second time");
    // a code with another browser's verifier, and a nonce that is not the one that was sent
    for change in ["update oidc_starts set verifier = repeat('x', 43)", "update oidc_starts set nonce = 'another'"] {
        let (mut jar, mut url) = (Jar::default(), Url::parse(&start).unwrap());
        while url.path() != "/api/v1/oidc/callback" {
            let answer = jar.get(url.as_str()).await;
            url = url.join(answer.headers()["location"].to_str().unwrap()).unwrap();
        }
        stack.database.pool.get().await.unwrap().batch_execute(change).await.unwrap();
        assert_eq!(jar.follow(url.as_str()).await, "/?sign_in=refused", "{change}");
    }
    drop(company);
    let away = browser().get(&start).send().await.unwrap();
    assert_eq!(away.status(), 503);
    assert_eq!(away.json::<Value>().await.unwrap()["reason"], "not_now");
}
