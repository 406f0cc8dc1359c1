//! The Bears: a tenant with one carrier, one number and rooms on demand; rows written as the hub writes them.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use texthub::facts::envelope::{Message, conversation, digest};
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
        Self::write_all(pool, std::slice::from_ref(self)).await;
        let client = pool.get().await.unwrap();
        let update = "update sms set is_confirmation = $2 where id = $1";
        client.execute(update, &[&self.sms_id, &is_confirmation]).await.unwrap();
    }

    /// Writes the rows of many.
    pub async fn write_all(pool: &Pool, texts: &[Self]) {
        let client = pool.get().await.unwrap();
        let rooms: Vec<RoomId> = texts.iter().map(|text| text.room_id).collect();
        let customers: Vec<&str> = texts.iter().map(|text| text.customer.as_str()).collect();
        client
            .execute(
                "insert into rooms (id, tenant, channel, our_number, customer_number, point_of_contact, opened_at, caused_by)
                 select distinct id, 'bears', 'sms', '+15550100001', customer, 'main', $3::timestamptz, id
                 from unnest($1::uuid[], $2::text[]) as r (id, customer) on conflict (id) do nothing",
                &[&rooms, &customers, &at(0)],
            )
            .await
            .unwrap();
        let ids: Vec<SmsId> = texts.iter().map(|text| text.sms_id).collect();
        let entries: Vec<EntryId> = texts.iter().map(Self::entry_id).collect();
        let seqs: Vec<i32> = texts.iter().map(|text| text.seq).collect();
        client
            .execute(
                "insert into sms (id, tenant, room_id, entry_id, seq, our_number, customer_number, carrier, state,
                                  requested_at, caused_by)
                 select id, 'bears', room, entry, seq, '+15550100001', customer, 'simulator', 'requested', $6, id
                 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::text[]) as s (id, room, entry, seq, customer)",
                &[&ids, &rooms, &entries, &seqs, &customers, &at(0)],
            )
            .await
            .unwrap();
    }

    /// Its conversation, as a routing key's scope.
    pub fn scope(&self) -> String {
        conversation("+15550100001", "", &self.customer)
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
            media: None,
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
