//! The frame of the OpenAPI document: what it is about, how to sign in, and the problems that each operation may answer
//! beside what its route says.

use std::collections::HashMap;

use texthub::access::problem::{Problem, Reason};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Info, License, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, ResponseBuilder,
    SecurityRequirement,
};

use crate::gateway::chat;

const ABOUT: &str = "People's desks and tenants' programs work by this API. Sign in with `POST /api/v1/sign-in`, which \
    sets a cookie, or send an API token as `Authorization: Bearer thk_…`. Times are RFC 3339 in UTC, numbers E.164. What \
    does not go is answered by `application/problem+json` (RFC 9457) with a stable `reason`.";

/// The whole document around what the routes say.
pub fn of(routes: OpenApi) -> OpenApi {
    let mut info = Info::new("texthub", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    info.license = Some(License::new("Apache-2.0"));
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("texthub_session")));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("thk_…").build();
    let visitor = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("thv_…").build();
    let components = ComponentsBuilder::new()
        .schema_from::<Problem>()
        .security_scheme("session", cookie)
        .security_scheme("token", SecurityScheme::Http(bearer))
        .security_scheme("visitor", SecurityScheme::Http(visitor))
        .build();
    let none: [&str; 0] = [];
    let security = [SecurityRequirement::new("session", none), SecurityRequirement::new("token", none)];
    let mut document = OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some(security))
        .paths(Paths::new())
        .build()
        .nest(super::BASE, routes)
        .nest(chat::BASE, chat::document());
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            problems(operation);
        }
    }
    distinguish(&mut document);
    document
}

/// An operation's id stands once in a document: functions of one name are told apart by their paths.
fn distinguish(document: &mut OpenApi) {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        *counts.entry(operation.operation_id.clone().unwrap_or_default()).or_default() += 1;
    }
    for (path, item) in &mut document.paths.paths {
        let words: Vec<&str> = path.split(['/', '{', '}', '-']).filter(|word| !word.is_empty()).skip(2).collect();
        for id in operations(item).filter_map(|operation| operation.operation_id.as_mut()) {
            if counts.get(id).is_some_and(|count| *count > 1) {
                *id = format!("{id}_{}", words.join("_"));
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    methods.into_iter().filter_map(Option::as_mut)
}

/// Adds the problems that any operation of its form may answer, where its route does not tell of them itself.
fn problems(operation: &mut Operation) {
    let mut reasons = vec![Reason::TooMany, Reason::Failed, Reason::NotNow];
    // an empty list: no sign-in needed
    if operation.security.as_ref().is_none_or(|security| !security.is_empty()) {
        reasons.extend([Reason::NotSignedIn, Reason::NotAllowed]);
    }
    if operation.request_body.is_some() {
        reasons.extend([Reason::BadRequest, Reason::TooLarge, Reason::Invalid]);
    }
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        reasons.extend([Reason::NotFound, Reason::Invalid]);
    }
    for reason in reasons {
        let response = ResponseBuilder::new()
            .description(reason.title())
            .content(
                "application/problem+json",
                ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
            )
            .build();
        operation.responses.responses.entry(reason.status().to_string()).or_insert_with(|| response.into());
    }
}
