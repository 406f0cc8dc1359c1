//! The work half of the API: commands that become facts, reads, and the socket that follows. Whatever is an agent's own is
//! done as that agent alone; nothing rests on which gateway a request goes to.

mod commands;
mod contacts;
mod hand_in;
mod reads;
mod socket;

use serde::Serialize;
use texthub::desk::shape::Desk;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Gateway;
use super::signing::{Me, MyTenant};

/// The routes.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(commands::state))
        .routes(routes!(commands::answer))
        .routes(routes!(commands::reply))
        .routes(routes!(commands::note))
        .routes(routes!(commands::outreach))
        .routes(routes!(contacts::transfer))
        .routes(routes!(contacts::park))
        .routes(routes!(contacts::unpark))
        .routes(routes!(contacts::takeover))
        .routes(routes!(contacts::end))
        .routes(routes!(contacts::wrap_up))
        .routes(routes!(reads::desk))
        .routes(routes!(reads::room))
        .routes(routes!(reads::entries))
        .routes(routes!(reads::rooms_of_customer))
        .routes(routes!(reads::contacts))
        .routes(routes!(reads::agents))
        .routes(routes!(socket::socket))
}

/// Everything that a desk begins with.
#[derive(Serialize, ToSchema)]
pub struct Snapshot {
    /// Whose desk it is.
    tenant: MyTenant,
    /// Who the caller is.
    me: Me,
    #[serde(flatten)]
    desk: Desk,
}

impl Snapshot {
    fn new(me: Me, desk: Desk) -> Self {
        Self { tenant: me.tenant.clone(), me, desk }
    }
}
