//! Who gets in: the first user of an installation, tries that wait over all gateways, and sign-in by a foreign provider.

mod first;
mod oidc;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::support::stack::{Process, Stack};

const BEARS: &str = "three-bears";

/// The example's tenant; no process yet.
async fn bears() -> Stack {
    let stack = Stack::new().await;
    stack.command(&["apply", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/three-bears.toml")]).success();
    stack
}

/// A browser that shows each answer before it goes on.
fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn enter(process: &Process, user: &str, password: &str) -> Response {
    let body = json!({"tenant": BEARS, "user": user, "password": password});
    browser().post(format!("{}/api/v1/sign-in", process.url())).json(&body).send().await.unwrap()
}

/// The cookie that an answer sets, as it is sent back.
fn cookie(answer: &Response, name: &str) -> Option<String> {
    let set = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let pairs = set.map(|value| value.split(';').next().unwrap());
    pairs.filter(|pair| pair.starts_with(&format!("{name}=")) && !pair.ends_with('=')).map(str::to_owned).next()
}

async fn me(process: &Process, cookie: &str) -> (u16, Value) {
    let request = browser().get(format!("{}/api/v1/me", process.url())).header("cookie", cookie);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
