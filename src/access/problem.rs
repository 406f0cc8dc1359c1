//! What the gateway's API answers when it does not do what was asked: problem details by RFC 9457, with a stable word for
//! programs and a sentence for people. The one place where failures become statuses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::failure::Failure;
use crate::hub::refusal::Refusal;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $word:literal, $title:literal, $sentence:literal;)+) => {
        /// The closed list of reasons beside the hub's refusals (409): add, never rename.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name),+ }
        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str { match self { $(Self::$name => $word),+ } }
            /// The status that goes with it.
            #[must_use]
            pub fn status(self) -> u16 { match self { $(Self::$name => $status),+ } }
            /// What it is, in short.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(Self::$name => $title),+ } }
            /// For people: what to do, where nothing better is known.
            #[must_use]
            pub fn sentence(self) -> &'static str { match self { $(Self::$name => $sentence),+ } }
        }
    };
}

reasons! {
    /// Not readable at all.
    BadRequest = 400, "bad_request", "Bad request", "The request cannot be read; send JSON as the document of the API says.";
    /// Neither a cookie nor a token that stands.
    NotSignedIn = 401, "not_signed_in", "Not signed in", "Sign in first, or send a token that is valid.";
    /// User, password or tenant is another.
    WrongPassword = 401, "wrong_password", "Wrong password", "Tenant, user or password is wrong.";
    /// The roles or scopes do not do.
    NotAllowed = 403, "not_allowed", "Not allowed", "Your roles do not allow this; ask an administrator of your tenant.";
    /// A one-time password was not changed yet.
    PasswordDue = 403, "password_due", "A new password is due", "Choose a password of your own first.";
    /// A cookie came with a request from another site.
    OtherSite = 403, "other_site", "From another site", "This request came from another site; call the API from its own pages, or with a token.";
    /// No such path, or nothing under this id that the caller may know of.
    NotFound = 404, "not_found", "Not found", "There is no such thing in this tenant.";
    /// The path is there, the method is not.
    MethodNotAllowed = 405, "method_not_allowed", "Method not allowed", "This address does not take this method; the document of the API says which it takes.";
    /// It is there already, under this id.
    Exists = 409, "exists", "There already", "There is one of this name already; take another.";
    /// The body.
    TooLarge = 413, "too_large", "Too large", "The body is larger than 64 KiB.";
    /// Readable, and not what is asked for.
    Invalid = 422, "invalid", "Invalid", "A field is not as the document of the API says.";
    /// Too often.
    TooMany = 429, "too_many", "Too many requests", "Too many tries; wait as long as Retry-After says.";
    /// A defect of ours.
    Failed = 500, "failed", "Failed", "Something is wrong on our side; it has been logged.";
    /// Postgres or the broker is away, or the machine has too much to do.
    NotNow = 503, "not_now", "Not now", "Not now; try again in a moment.";
}

/// An answer by RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the reason tells them apart.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// What it is, in short.
    #[schema(example = "Not allowed")]
    title: &'static str,
    /// The status of HTTP.
    #[schema(example = 403)]
    pub status: u16,
    /// A stable word, for programs.
    #[schema(example = "not_allowed")]
    pub reason: &'static str,
    /// For people: what to do.
    pub sentence: String,
    /// Seconds until another try may do.
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

impl From<Reason> for Problem {
    fn from(reason: Reason) -> Self {
        Self {
            kind: "about:blank",
            title: reason.title(),
            status: reason.status(),
            reason: reason.word(),
            sentence: reason.sentence().to_owned(),
            retry_after_s: (reason == Reason::NotNow).then_some(1),
        }
    }
}

impl From<Refusal> for Problem {
    /// The hub said no: 409 with its word.
    fn from(refusal: Refusal) -> Self {
        Self {
            kind: "about:blank",
            title: "Refused",
            status: 409,
            reason: refusal.word(),
            sentence: refusal.sentence().to_owned(),
            retry_after_s: None,
        }
    }
}

impl Problem {
    /// With a sentence of its own.
    #[must_use]
    pub fn saying(reason: Reason, sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), ..reason.into() }
    }

    /// A field that is not as it should be: the sentence names it.
    #[must_use]
    pub fn field(name: &str, should: &str) -> Self {
        Self::saying(Reason::Invalid, format!("{name}: {should}"))
    }

    /// Too many tries; another one may do after so many seconds.
    #[must_use]
    pub fn wait(seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds.max(1)), ..Reason::TooMany.into() }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            // class 42: rights or names that are not there, a defect of ours
            Failure::Away(why) if why.starts_with("42") => failed(&why),
            Failure::Retry(_) | Failure::Away(_) => Reason::NotNow.into(),
            Failure::Reject(why) => failed(&why.to_string()),
        }
    }
}

fn failed(why: &str) -> Problem {
    tracing::error!(why, "a request to the API failed");
    Reason::Failed.into()
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<deadpool_postgres::PoolError> for Problem {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Failure::from(error).into()
    }
}

impl From<crate::amqp::Lost> for Problem {
    fn from(_: crate::amqp::Lost) -> Self {
        Reason::NotNow.into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        metrics::counter!("texthub_api_problems_total", "reason" => self.reason).increment(1);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::envelope;

    #[test]
    fn a_problem_is_problem_details_with_a_reason_and_a_sentence() {
        let response = Problem::wait(7).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        let body = serde_json::to_value(Problem::field("name", "has 1 to 100 characters")).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"type": "about:blank", "title": "Invalid", "status": 422, "reason": "invalid",
                               "sentence": "name: has 1 to 100 characters"})
        );
        let refused = Problem::from(Refusal::OfferGone);
        assert_eq!((refused.status, refused.reason), (409, "offer_gone"));
    }

    #[test]
    fn what_is_away_may_be_tried_again_and_a_defect_may_not() {
        let status = |failure: Failure| Problem::from(failure).status;
        assert_eq!(status(Failure::Away("the pool is closed".into())), 503);
        assert_eq!(status(Failure::Retry("40001".into())), 503);
        assert_eq!(status(Failure::Away("42501 permission denied for table sms".into())), 500);
        assert_eq!(status(Failure::Reject(envelope::Reason::new("broken_invariant", "x"))), 500);
    }
}
