//! Signing in and out, users, tokens, the audit log: each by what the API answers and what the rows then hold.

use super::*;

#[tokio::test]
async fn a_user_signs_in_is_told_who_they_are_and_signs_out() {
    let served = Served::new().await;
    served.user("bears", "papa", &["agent", "supervisor"]).await;
    let answer = served.stranger().try_enter("bears", "papa", PASSWORD).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("texthub_session=bears."), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let (status, me) = super::answer(answer).await;
    assert_eq!(status, 200);
    assert_eq!(
        me,
        json!({"tenant": {"id": "bears", "name": "Three Bears", "time_zone": "UTC"},
               "user": {"id": "papa", "name": "papa", "language": "en", "roles": ["agent", "supervisor"]},
               "agent": "papa", "rights": ["work", "live", "interfere", "transcripts", "customers"],
               "password_due": false})
    );
    let papa = served.stranger().enter("bears", "papa", PASSWORD).await;
    assert_eq!(papa.get("/me").await, (200, me));
    assert_eq!(papa.post("/sign-out", Value::Null).await.0, 204);
    assert_eq!(reason(&papa.get("/me").await), (401, "not_signed_in"));
    let secret = papa.cookie.unwrap().split_once('=').unwrap().1.to_owned();
    let rows: String = served.one("select string_agg(to_jsonb(s)::text, '') from sign_ins s").await;
    assert!(!rows.contains(&secret) && !rows.contains(secret.split_once('.').unwrap().1), "the secret is kept nowhere");
    assert_eq!(served.deeds("bears").await, ["papa sign_in", "papa sign_in", "papa sign_out"]);
}

#[tokio::test]
async fn whoever_cannot_sign_in_learns_nothing_of_why() {
    let served = Served::new().await;
    served.user("bears", "papa", &["agent"]).await;
    served.user("bears", "mama", &["agent"]).await;
    served.execute("update users set ended_at = now() where id = 'mama'").await;
    let mut bodies = Vec::new();
    for (tenant, user, password) in [
        ("bears", "papa", "wrong"),
        ("bears", "nobody", PASSWORD),
        ("nowhere", "papa", PASSWORD),
        ("bears", "mama", PASSWORD),
    ] {
        let (status, body) = answer(served.stranger().try_enter(tenant, user, password).await).await;
        assert_eq!(status, 401, "{tenant} {user}");
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:?}");
    assert_eq!(served.deeds("bears").await, ["nobody sign_in_failed papa", "nobody sign_in_failed mama"]);
}

#[tokio::test]
async fn tries_have_to_wait_longer_and_longer_and_lock_out_nobody_who_is_known() {
    let served = Served::with(&[("TEXTHUB_TRUSTED_PROXIES", "127.0.0.1")]).await;
    served.user("bears", "papa", &["agent"]).await;
    let from = |address: &'static str, password: &'static str| {
        let body = json!({"tenant": "bears", "user": "papa", "password": password});
        let request = served.stranger().request(Method::POST, "/sign-in").header("x-forwarded-for", address);
        async move { request.json(&body).send().await.unwrap() }
    };
    assert_eq!(from("192.0.2.7", PASSWORD).await.status(), 200, "from now on they are known there");
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(from("198.51.100.1", "wrong").await.status().as_u16());
    }
    assert_eq!(waits, [401, 401, 401, 401, 401, 401]);
    let refused = from("198.51.100.1", PASSWORD).await;
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(reason(&answer(refused).await), (429, "too_many"));
    for host in 2..6 {
        let address: &'static str = Box::leak(format!("198.51.100.{host}").into_boxed_str());
        assert_eq!(from(address, "wrong").await.status(), 401);
    }
    // the user has failed ten times by now, from anywhere
    assert_eq!(from("198.51.100.9", "wrong").await.status(), 401);
    assert_eq!(from("198.51.100.10", PASSWORD).await.status(), 429, "a stranger's address waits");
    assert_eq!(from("192.0.2.7", PASSWORD).await.status(), 200, "the one that is known does not");
    served.execute("update sign_in_attempts set wait_until = now() - interval '1 second'").await;
    assert_eq!(from("198.51.100.10", PASSWORD).await.status(), 200);
    served.execute("update sign_in_attempts set failures = 1000000, failed_at = now() where kind = 'user'").await;
    assert_eq!(from("198.51.100.1", "wrong").await.status(), 401);
    let longest: i64 =
        served.one("select max(extract(epoch from wait_until - now()))::bigint from sign_in_attempts").await;
    assert!((100..=120).contains(&longest), "{longest}");
}

#[tokio::test]
async fn a_sign_in_ends_by_itself_and_by_its_user() {
    let served = Served::new().await;
    let papa = served.signed_in("bears", "papa", &["agent"]).await;
    let other = papa.enter("bears", "papa", PASSWORD).await;
    served.execute("update sign_ins set seen_at = now() - interval '11 hours 59 minutes'").await;
    assert_eq!(papa.get("/me").await.0, 200);
    let (_, list) = papa.get("/sign-ins").await;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    let theirs = list.iter().find(|one| one["is_this"] == false).unwrap();
    assert_eq!(
        papa.ask(Method::DELETE, &format!("/sign-ins/{}", theirs["id"].as_str().unwrap()), Value::Null).await.0,
        204
    );
    assert_eq!(other.get("/me").await.0, 401);
    served.execute("update sign_ins set seen_at = now() - interval '12 hours 1 minute'").await;
    assert_eq!(papa.get("/me").await.0, 401, "idle for too long");
    let papa = papa.enter("bears", "papa", PASSWORD).await;
    served.execute("update sign_ins set ends_at = now() - interval '1 second'").await;
    assert_eq!(papa.get("/me").await.0, 401, "seven days are over");
}

#[tokio::test]
async fn a_one_time_password_leads_to_nothing_but_a_new_one() {
    let served = Served::new().await;
    let admin = served.signed_in("bears", "queen", &["administrator"]).await;
    let body = json!({"id": "baby", "name": "Baby Bear", "roles": ["agent"]});
    let (status, invited) = admin.post("/users", body.clone()).await;
    assert_eq!((status, &invited["user"]["agent"]), (201, &json!("baby")), "{invited}");
    assert_eq!(reason(&admin.post("/users", body).await), (409, "exists"));
    let one_time = invited["one_time_password"].as_str().unwrap();
    let baby = served.stranger().enter("bears", "baby", one_time).await;
    assert_eq!(baby.get("/me").await.1["password_due"], true);
    assert_eq!(reason(&baby.get("/sign-ins").await), (403, "password_due"));
    for (new, sentence) in [("short", "new: has 12"), ("password1234", "new: is one of"), (one_time, "new: is the old")]
    {
        let refused = baby.post("/me/password", json!({"old": one_time, "new": new})).await;
        assert_eq!(reason(&refused), (422, "invalid"));
        assert!(refused.1["sentence"].as_str().unwrap().starts_with(sentence), "{}", refused.1);
    }
    let wrong = baby.post("/me/password", json!({"old": "wrong", "new": "a pale moon rises"})).await;
    assert_eq!(reason(&wrong), (401, "wrong_password"));
    let second = baby.enter("bears", "baby", one_time).await;
    assert_eq!(baby.post("/me/password", json!({"old": one_time, "new": "a pale moon rises"})).await.0, 204);
    assert_eq!((baby.get("/sign-ins").await.0, second.get("/me").await.0), (200, 401), "the others end");
    baby.enter("bears", "baby", "a pale moon rises").await;
    let (_, again) = admin.post("/users/baby/password", Value::Null).await;
    assert_eq!(baby.get("/me").await.0, 401, "a reset ends what stood");
    served.execute("update users set password_until = now() - interval '1 second' where id = 'baby'").await;
    let late = served.stranger().try_enter("bears", "baby", again["one_time_password"].as_str().unwrap()).await;
    assert_eq!(late.status(), 401, "three days are over");
}

#[tokio::test]
async fn an_administrator_looks_after_users_and_the_last_one_stays() {
    let served = Served::new().await;
    let admin = served.signed_in("bears", "queen", &["administrator"]).await;
    let papa = served.signed_in("bears", "papa", &["agent"]).await;
    assert_eq!(reason(&papa.get("/users").await), (403, "not_allowed"));
    let patch = async |user: &str, body: Value| admin.ask(Method::PATCH, &format!("/users/{user}"), body).await;
    assert_eq!(
        patch("papa", json!({"roles": ["agent", "supervisor"]})).await.1["roles"],
        json!(["agent", "supervisor"])
    );
    assert_eq!(papa.get("/me").await.1["user"]["roles"], json!(["agent", "supervisor"]), "at once");
    assert_eq!(reason(&patch("queen", json!({"roles": ["agent"]})).await), (422, "invalid"));
    assert_eq!(reason(&patch("queen", json!({"ended": true})).await), (422, "invalid"));
    assert_eq!(reason(&patch("papa", json!({"roles": []})).await), (422, "invalid"));
    assert_eq!(reason(&patch("papa", json!({"roles": ["king"]})).await), (422, "invalid"));
    assert_eq!(reason(&patch("papa", json!({"agent": "fox"})).await), (422, "invalid"), "another tenant's");
    assert_eq!(reason(&patch("papa", json!({"surname": "Bear"})).await), (422, "invalid"));
    assert_eq!(reason(&patch("nobody", json!({"name": "N"})).await), (404, "not_found"));
    assert_eq!(patch("papa", json!({"agent": "mama"})).await.1["agent"], "mama");
    assert_eq!(admin.ask(Method::DELETE, "/users/papa/sign-ins", Value::Null).await.0, 204);
    assert_eq!(papa.get("/me").await.0, 401);
    let papa = papa.enter("bears", "papa", PASSWORD).await;
    assert!(patch("papa", json!({"ended": true})).await.1["ended_at"].is_string());
    assert_eq!(papa.get("/me").await.0, 401);
    assert_eq!(patch("papa", json!({"ended": false})).await.1["ended_at"], Value::Null);
    assert_eq!(papa.get("/me").await.0, 401, "the sign-ins stay ended");
    let (_, list) = admin.get("/users").await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("argon2"), "{list}");
    let deeds = served.deeds("bears").await;
    assert!(
        deeds.contains(&"queen user_ended papa".to_owned()) && deeds.contains(&"queen user_restored papa".to_owned())
    );
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_until_it_is_revoked() {
    let served = Served::new().await;
    let maker = served.signed_in("bears", "smith", &["integrator"]).await;
    let make = async |body: Value| maker.post("/tokens", body).await;
    for bad in [
        json!({"name": "x", "scopes": []}),
        json!({"name": "x", "scopes": ["users"]}),
        json!({"name": "x", "scopes": ["work"]}),
        json!({"name": "x", "scopes": ["work"], "agent": "fox"}),
        json!({"name": "", "scopes": ["live"]}),
        json!({"name": "x", "scopes": ["live"], "expires_at": "2020-01-01T00:00:00Z"}),
    ] {
        assert_eq!(reason(&make(bad.clone()).await), (422, "invalid"), "{bad}");
    }
    let (shop, id) = token(&maker, &["work"], Some("papa")).await;
    assert!(shop.token.as_ref().unwrap().starts_with("thk_bears."));
    let (status, me) = shop.get("/me").await;
    assert_eq!(status, 200);
    assert_eq!((&me["agent"], &me["rights"], &me["user"]["name"]), (&json!("papa"), &json!(["work"]), &json!("Shop")));
    assert_eq!(reason(&shop.get("/users").await), (403, "not_allowed"));
    assert_eq!(reason(&shop.get("/tokens").await), (403, "not_allowed"));
    assert_eq!(reason(&shop.get("/sign-ins").await), (403, "not_allowed"), "for people");
    let (_, list) = maker.get("/tokens").await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert!(list[0]["used_at"].is_string() && list[0].get("secret").is_none(), "{list}");
    served.execute("update api_tokens set expires_at = now() - interval '1 second'").await;
    assert_eq!(shop.get("/me").await.0, 401, "expired");
    served.execute("update api_tokens set expires_at = null").await;
    assert_eq!(shop.get("/me").await.0, 200);
    assert_eq!(maker.ask(Method::DELETE, &format!("/tokens/{id}"), Value::Null).await.0, 204);
    assert_eq!(reason(&maker.ask(Method::DELETE, &format!("/tokens/{id}"), Value::Null).await), (404, "not_found"));
    assert_eq!(shop.get("/me").await.0, 401);
    let forged = Caller { token: shop.token.as_ref().map(|token| token.replace("bears", "foxes")), ..shop.clone() };
    assert_eq!(forged.get("/me").await.0, 401, "a token is one of its tenant's");
}

#[tokio::test]
async fn the_audit_log_is_read_newest_first_and_nobody_changes_it() {
    let served = Served::new().await;
    let admin = served.signed_in("bears", "queen", &["administrator"]).await;
    admin.post("/users", json!({"id": "baby", "name": "Baby", "roles": ["agent"]})).await;
    let (status, lines) = admin.get("/audit-log?limit=1").await;
    assert_eq!((status, &lines[0]["what"], &lines[0]["who"]), (200, &json!("user_added"), &json!("queen")));
    assert_eq!((&lines[0]["on_id"], &lines[0]["address"]), (&json!("baby"), &json!("127.0.0.1")));
    let before = lines[0]["nr"].as_i64().unwrap();
    let (_, older) = admin.get(&format!("/audit-log?before={before}")).await;
    assert_eq!(older.as_array().unwrap().len(), 1);
    assert_eq!(older[0]["what"], "sign_in");
    assert_eq!(served.deeds("bears").await.last().unwrap(), "queen audit_log_read");
    for wrong in ["limit=0", "limit=501", "limit=x", "before=y"] {
        assert_eq!(reason(&admin.get(&format!("/audit-log?{wrong}")).await), (422, "invalid"), "{wrong}");
    }
    let client = served.database.pool.get().await.unwrap();
    for change in ["update audit_log set who = 'x'", "delete from audit_log", "truncate audit_log"] {
        let refused = client.batch_execute(change).await.unwrap_err();
        assert!(refused.as_db_error().unwrap().message().contains("append-only"), "{change}");
    }
}

#[tokio::test]
async fn a_request_by_cookie_comes_from_our_own_pages() {
    let served = Served::new().await;
    let papa = served.signed_in("bears", "papa", &["agent"]).await;
    let from = async |name: &str, value: &str| {
        let bare = Caller { cookie: None, ..papa.clone() }.request(Method::POST, "/sign-out");
        let request = bare.header("cookie", papa.cookie.as_ref().unwrap());
        let request = if name.is_empty() { request } else { request.header(name, value) };
        answer(request.send().await.unwrap()).await
    };
    for (name, value) in [
        ("", ""),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(reason(&from(name, value).await), (403, "other_site"), "{name} {value}");
    }
    let enter = served.stranger().request(Method::POST, "/sign-in").header("origin", "https://evil.example");
    let body = json!({"tenant": "bears", "user": "papa", "password": PASSWORD});
    assert_eq!(reason(&answer(enter.json(&body).send().await.unwrap()).await), (403, "other_site"));
    let ours = served.url.clone();
    assert_eq!(from("origin", &ours).await.0, 204);
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_too_and_all_of_it_is_guarded() {
    let served = Served::new().await;
    let papa = served.signed_in("bears", "papa", &["agent"]).await;
    assert_eq!(reason(&papa.get("/nowhere").await), (404, "not_found"));
    assert_eq!(reason(&papa.ask(Method::PUT, "/me", json!({})).await), (405, "method_not_allowed"));
    let large = json!({"name": "x".repeat(70_000)});
    assert_eq!(reason(&papa.ask(Method::PATCH, "/me", large).await), (413, "too_large"));
    assert_eq!(reason(&papa.ask(Method::DELETE, "/sign-ins/not-an-id", Value::Null).await), (404, "not_found"));
    assert_eq!(reason(&served.stranger().get("/me").await), (401, "not_signed_in"));
    let answer = papa.request(Method::GET, "/me").send().await.unwrap();
    for (name, value) in [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    let page = papa.request(Method::GET, "/api/docs/").send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    assert!(page.text().await.unwrap().contains("swagger-ui"));
    let (_, document) = papa.get("/api/openapi.json").await;
    assert!(document["paths"]["/api/v1/sign-in"]["post"]["responses"]["429"].is_object());
}

#[tokio::test]
async fn a_user_changes_their_own_name_and_language_and_nothing_else() {
    let served = Served::new().await;
    let papa = served.signed_in("bears", "papa", &["agent"]).await;
    let patch = async |body: Value| papa.ask(Method::PATCH, "/me", body).await;
    let (status, me) = patch(json!({"name": "Papa Bear", "language": "de"})).await;
    assert_eq!((status, &me["user"]["name"], &me["user"]["language"]), (200, &json!("Papa Bear"), &json!("de")));
    assert_eq!(reason(&patch(json!({"roles": ["administrator"]})).await), (422, "invalid"));
    assert_eq!(reason(&patch(json!({"language": "german"})).await), (422, "invalid"));
    assert_eq!(reason(&patch(json!({"name": ""})).await), (422, "invalid"));
}
