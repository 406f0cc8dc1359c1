//! The API for people's desks and tenants' programs: JSON under `/api/v1`, problems by RFC 9457, and the OpenAPI document
//! made from the routes themselves, with a page to try it under `/api/docs`. Reads the hub's tables, says facts, and
//! writes the gateway's own tables alone; each slice of it is a file here with its `routes`.

mod audit_log;
mod customers;
mod document;
mod extract;
mod guard;
mod oidc;
mod sign_ins;
mod signing;
#[cfg(test)]
pub mod tests;
mod tokens;
mod users;
mod work;

use axum::Router;
use texthub::access::problem::{Problem, Reason};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

pub use extract::{Json, Path, Query, Whence};

use super::Gateway;

/// Under which everything is.
pub const BASE: &str = "/api/v1";

/// The routes of all slices, relative to [`BASE`].
fn slices() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .merge(signing::routes())
        .merge(sign_ins::routes())
        .merge(oidc::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(audit_log::routes())
        .merge(customers::routes())
        .merge(work::routes())
}

/// The document of the API.
pub fn document() -> OpenApi {
    document::of(slices().into_openapi())
}

/// All that is served.
pub fn served() -> Router<Gateway> {
    let (routes, found) = slices().split_for_parts();
    let routes = routes
        .fallback(|| async { Problem::from(Reason::NotFound) })
        .method_not_allowed_fallback(|| async { Problem::from(Reason::MethodNotAllowed) });
    let page = SwaggerUi::new("/api/docs").url("/api/openapi.json", document::of(found));
    Router::new().nest(BASE, guard::api(routes)).merge(guard::page(page.into()))
}
