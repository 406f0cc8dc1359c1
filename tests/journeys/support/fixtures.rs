//! The Bears: a tenant with one carrier, one number and rooms on demand; rows written as the hub writes them.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use texthub::facts::envelope::{Message, digest};
use texthub::facts::ids::{EntryId, FactId, RoomId, Slug, SmsId};
use texthub::facts::said::SmsRequested;
use uuid::Uuid;

/// A slug that is one.
pub fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

/// A moment in whole seconds after a fixed one.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The tenant `bears` with the carrier `simulator`, at this address.
pub async fn bears(pool: &Pool, simulator_url: &str) {
    let client = pool.get().await.unwrap();
    client
        .batch_execute(
            "insert into tenants (id, name, sms_messaging, time_zone, stop_text, start_text, help_text)
             values ('bears', 'Three Bears', true, 'UTC', 'stopped', 'started', 'help');
             insert into skills (tenant, id, channel, offer_timeout_s, wrap_up_s, max_wait_s)
             values ('bears', 'sms', 'sms', 30, 30, 86400);",
        )
        .await
        .unwrap();
    client
        .execute(
            "insert into carriers (id, tenant, kind, url) values ('simulator', 'bears', 'simulator', $1)",
            &[&simulator_url],
        )
        .await
        .unwrap();
}

/// A requested text with its room (opened where it is not there), as `sms.requested` asks for it.
#[derive(Clone, Debug)]
pub struct Requested {
    /// Its id.
    pub sms_id: SmsId,
    /// Its room.
    pub room_id: RoomId,
    /// The customer of the room.
    pub customer: String,
    /// Its line.
    pub seq: i32,
    /// What it says.
    pub text: String,
}

impl Requested {
    /// The `seq`-th text of the `room`-th room.
    pub fn new(room: u32, seq: i32) -> Self {
        let room_id = RoomId(Uuid::from_u128(0xbea2_0000 + u128::from(room)));
        let sms_id = SmsId(Uuid::new_v5(&room_id.0, &seq.to_be_bytes()));
        Self {
            sms_id,
            room_id,
            customer: format!("+1555{:07}", 200_000 + room),
            seq,
            text: format!("text {seq} of {room}"),
        }
    }

    /// Writes its rows.
    pub async fn write(&self, pool: &Pool, is_confirmation: bool) {
        let client = pool.get().await.unwrap();
        let caused_by = Uuid::new_v4();
        client
            .execute(
                "insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
                 values ($1, 'bears', 'sms', '+15550100001', $2, 'main', $3, $4) on conflict (id) do nothing",
                &[&self.room_id, &self.customer, &at(0), &caused_by],
            )
            .await
            .unwrap();
        client
            .execute(
                "insert into sms (id, tenant, room_id, entry_id, seq, our_number, customer_number, carrier, state,
                                  is_confirmation, requested_at, caused_by)
                 values ($1, 'bears', $2, $3, $4, '+15550100001', $5, 'simulator', 'requested', $6, $7, $8)",
                &[
                    &self.sms_id,
                    &self.room_id,
                    &self.entry_id(),
                    &self.seq,
                    &self.customer,
                    &is_confirmation,
                    &at(0),
                    &caused_by,
                ],
            )
            .await
            .unwrap();
    }

    fn entry_id(&self) -> EntryId {
        EntryId(Uuid::new_v5(&self.sms_id.0, b"entry"))
    }

    /// The fact that asks for it; `nr` tells one asking from another.
    pub fn fact(&self, nr: u32) -> SmsRequested {
        let id = FactId(Uuid::new_v5(&self.sms_id.0, &nr.to_be_bytes()));
        SmsRequested {
            id,
            cause_id: id,
            at: at(0),
            tenant: slug("bears"),
            sms_id: self.sms_id,
            room_id: self.room_id,
            entry_id: self.entry_id(),
            from: "+15550100001".to_owned(),
            from_country: None,
            to: self.customer.clone(),
            text: self.text.clone(),
            carrier: slug("simulator"),
        }
    }
}

/// A message as the runner hands it over.
pub fn message<F, B: serde::Serialize>(id: FactId, fact: &'static str, body: &B, decoded: F) -> Message<F> {
    Message {
        id,
        fact,
        scope: String::new(),
        is_redelivered: false,
        attempt: 0,
        traceparent: None,
        digest: digest(&serde_json::to_vec(body).unwrap()),
        extra: None,
        body: decoded,
    }
}
