//! Until the slice access is merged.
use serde::Serialize;
use texthub::access::api::Api;
use texthub::access::caller::Caller;
use texthub::access::problem::Problem;
use utoipa::ToSchema;

#[derive(Clone, Serialize, ToSchema)]
pub struct MyTenant {
    id: String,
}
#[derive(Clone, Serialize, ToSchema)]
pub struct Me {
    pub tenant: MyTenant,
}
pub async fn me(_: &Api, caller: &Caller) -> Result<Me, Problem> {
    Ok(Me { tenant: MyTenant { id: caller.tenant.to_string() } })
}
