//! The public contract: every fact on the wire, as a Rust type. The AsyncAPI document is made from these.

mod closed;
pub mod due;
pub mod envelope;
pub mod heard;
pub mod ids;
pub mod media;
pub mod purpose;
pub mod said;
pub mod words;

/// Declares facts: the struct, its name on the wire and where it goes.
macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident = $wire:literal to $to:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? })+) => {
        /// All facts of this table, with their schemas.
        pub const DESCRIBED: &[$crate::facts::envelope::Described] = &[$($crate::facts::envelope::Described {
            name: $wire,
            to: $crate::facts::envelope::To::$to,
            schema: |generator| generator.subschema_for::<$name>(),
            through: |body| serde_json::to_value(serde_json::from_value::<$name>(body)?),
        }),+];
        $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub struct $name {
            /// `message_id` of the AMQP message: a UUID; the same id again is a repeat.
            pub id: $crate::facts::ids::FactId,
            /// The fact that caused this one.
            pub cause_id: $crate::facts::ids::FactId,
            /// When it was said (RFC 3339, UTC).
            pub at: jiff::Timestamp,
            /// The tenant.
            pub tenant: $crate::facts::ids::Slug,
            $($(#[$fdoc])* pub $field: $ty,)*
        }
        impl $crate::facts::envelope::Fact for $name {
            const NAME: &'static str = $wire;
            const TO: $crate::facts::envelope::To = $crate::facts::envelope::To::$to;
            fn id(&self) -> $crate::facts::ids::FactId { self.id }
            fn cause(&self) -> $crate::facts::ids::FactId { self.cause_id }
        }
    )+};
}
pub(crate) use facts;

/// An enum of the facts that one worker hears, with its decoding by name.
///
/// `heard! { pub enum Asked { OfferAnswered(OfferAnswered), OfferDue(OfferDue) } }`
#[macro_export]
macro_rules! heard {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($variant:ident($ty:ty)),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[expect(missing_docs, reason = "the variants are named after their facts")]
        $vis enum $name { $($variant($ty)),+ }
        impl $crate::facts::envelope::Decode for $name {
            const FACTS: &'static [&'static str] = &[$(<$ty as $crate::facts::heard::Hearable>::NAME),+];
            fn decode(fact: &str, body: &[u8]) -> Result<
                (Self, $crate::facts::ids::FactId, serde_json::Map<String, serde_json::Value>),
                $crate::facts::envelope::Reason,
            > {
                $(if fact == <$ty as $crate::facts::heard::Hearable>::NAME {
                    let (body, extra) = $crate::facts::heard::parse::<$ty>(body)?;
                    let id = $crate::facts::heard::Hearable::id(&body);
                    return Ok((Self::$variant(body), id, extra));
                })+
                Err($crate::facts::envelope::Reason::new("unknown_fact", format!("no worker of this queue knows {fact}")))
            }
        }
    };
}
