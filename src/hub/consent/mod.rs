//! The consent ledger per tenant, our number, customer and scope: append-only entries (Postgres refuses anything else),
//! and their fold `opt_outs`, which says who is opted out of what now. Which word means what is in `sms/keywords`;
//! sending is elsewhere. A forgotten customer is known by a keyed hash, for which the block goes on holding.

pub mod ask;
pub mod import;
pub mod key;
mod ledger;

use std::borrow::Cow;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use ledger::note;

use crate::facts::ids::{FactId, Slug};
use crate::failure::Failure;
use crate::hub::sql;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As in SQL and in files.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("{text:?} is none of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

words! {
    /// Out, in again, or asked to come in.
    ConsentKind {
        /// Nothing may be sent any more, but for the one confirmation.
        OptOut = "opt_out",
        /// Sending is allowed again.
        OptIn = "opt_in",
        /// Asked for a double opt-in, which a YES completes.
        Asked = "opt_in_asked",
    }
}
words! {
    /// How far an entry reaches. `campaign` is kept free in the schema; none is written yet.
    Scope {
        /// One of our numbers.
        Number = "number",
        /// All that the tenant sends.
        Brand = "brand",
        /// Whatever the tenant does with this customer's number, by any channel.
        All = "all",
    }
}
words! {
    /// How consent was given or withdrawn.
    Method {
        /// By text.
        Keyword = "keyword",
        /// In a form.
        Web = "web",
        /// On paper.
        Paper = "paper",
        /// On the telephone.
        Voice = "voice",
        /// Told to an agent, who noted it.
        Agent = "agent",
        /// The carrier told us.
        Carrier = "carrier",
        /// From a list.
        Import = "import",
    }
}
words! {
    /// What an opt-in rests on.
    Basis {
        /// The customer wrote first, or the like.
        Implied = "implied",
        /// The customer said so.
        Express = "express",
        /// Signed, on paper or electronically.
        Written = "written",
    }
}

/// Whose consent: tenant, our number, customer's number.
pub type Party<'a> = (&'a str, &'a str, &'a str);

/// What proves an entry, as far as known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proof {
    /// `fact_id`, `url`, `ip`, `user_agent`.
    pub source: Option<Value>,
    /// Exactly what the customer was told.
    pub disclosure: Option<String>,
    /// What an opt-in rests on.
    pub basis: Option<Basis>,
    /// Where the evidence is kept.
    pub evidence: Option<String>,
}

/// A word about consent.
#[derive(Clone, Debug)]
pub struct Noted<'a> {
    /// Whose number.
    pub tenant: &'a str,
    /// Which of our numbers: the one it is about, or was said to.
    pub our_number: &'a str,
    /// Whose consent.
    pub customer_number: &'a str,
    /// Out, in or asked.
    pub kind: ConsentKind,
    /// How far it reaches.
    pub scope: Scope,
    /// How it came.
    pub method: Method,
    /// Who noted it: `customer`, `agent:SLUG`, `operator:NAME`, `program:NAME`, `carrier:SLUG`.
    pub actor: Cow<'a, str>,
    /// The word as it was recognised.
    pub keyword: Option<&'a str>,
    /// What proves it.
    pub proof: Proof,
    /// When the customer said so, where that was before now.
    pub effective_at: Option<Timestamp>,
    /// The fact that brought it; an entry's id is derived from it.
    pub caused_by: FactId,
}

impl<'a> Noted<'a> {
    /// A customer's word by text to one of our numbers, about that number.
    #[must_use]
    pub fn by_keyword(party: Party<'a>, kind: ConsentKind, keyword: &'a str, caused_by: FactId) -> Self {
        let (tenant, our_number, customer_number) = party;
        Self {
            tenant,
            our_number,
            customer_number,
            kind,
            scope: Scope::Number,
            method: Method::Keyword,
            actor: Cow::Borrowed("customer"),
            keyword: Some(keyword),
            proof: Proof { source: Some(serde_json::json!({"fact_id": caused_by})), ..Proof::default() },
            effective_at: None,
            caused_by,
        }
    }

    fn entry_id(&self) -> Uuid {
        self.caused_by.row("consent", 0)
    }
}

/// Notes that a carrier says these recipients are out (its refusal, as Twilio's 21610, or a webhook's `OptOutType`) or in
/// again: (party, kind, the fact that told it). For each, whether it changed anything; a repeat gets the first answer.
///
/// # Errors
/// Contention or a database that is away.
pub async fn note_of_carrier(
    tx: &Transaction<'_>,
    now: Timestamp,
    carrier: &Slug,
    told: &[(Party<'_>, ConsentKind, FactId)],
) -> Result<Vec<bool>, Failure> {
    let noted: Vec<Noted<'_>> = told
        .iter()
        .map(|(party, kind, cause)| Noted {
            method: Method::Carrier,
            actor: Cow::Owned(format!("carrier:{carrier}")),
            keyword: None,
            ..Noted::by_keyword(*party, *kind, "", *cause)
        })
        .collect();
    note(tx, now, &noted).await
}

/// Who is out: of this number of ours, of all of the tenant's, or of everything. The statement of the check at send, whose
/// plan a test looks at.
pub const OPTED_OUT: &str = "select exists (
       select 1 from opt_outs o where o.tenant = p.tenant and o.customer_number = p.customer_number
         and (o.scope in ('brand', 'all') or o.scope = 'number' and o.our_number = p.our_number)) as is_out,
     coalesce((select t.has_forgotten from tenants t where t.id = p.tenant), false) as has_forgotten
   from unnest($1::text[], $2::text[], $3::text[]) with ordinality as p (tenant, our_number, customer_number, nr)
   order by p.nr";

/// Who of these is opted out, in their order. To be read in the transaction that requests a send and in the one that claims
/// it. Costs one look in an index each; a second one where the tenant has forgotten customers. A process without their
/// key cannot know, and lets nothing leave.
///
/// # Errors
/// Contention or a database that is away.
pub async fn opted_out(tx: &Transaction<'_>, parties: &[Party<'_>]) -> Result<Vec<bool>, Failure> {
    if parties.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, ours, customers) = columns(parties.iter().copied());
    let rows = sql::rows(tx, OPTED_OUT, &[&tenants, &ours, &customers]).await?;
    let mut is_out: Vec<bool> = rows.iter().map(|row| row.get(0)).collect();
    let unsure: Vec<usize> = (0..rows.len()).filter(|nth| !is_out[*nth] && rows[*nth].get(1)).collect();
    if unsure.is_empty() {
        return Ok(is_out);
    }
    let hashed: Vec<Option<String>> = unsure.iter().map(|nth| key::hash(parties[*nth].0, parties[*nth].2)).collect();
    if hashed.contains(&None) {
        tracing::error!(
            "TEXTHUB_CONSENT_KEY is not set, and tenants have forgotten customers: nothing leaves for them"
        );
    }
    let (tenants, ours): (Vec<&str>, Vec<&str>) = unsure.iter().map(|nth| (parties[*nth].0, parties[*nth].1)).unzip();
    let rows = sql::rows(tx, OPTED_OUT, &[&tenants, &ours, &hashed]).await?;
    for ((nth, row), hash) in unsure.iter().zip(rows).zip(hashed) {
        is_out[*nth] = hash.is_none() || row.get(0);
    }
    Ok(is_out)
}

/// Of whom a YES is an opt-in: who is out, or was asked and has not answered.
///
/// # Errors
/// Contention or a database that is away.
pub async fn awaits_yes(tx: &Transaction<'_>, parties: &[Party<'_>]) -> Result<Vec<bool>, Failure> {
    if parties.is_empty() {
        return Ok(Vec::new());
    }
    let mut awaits = opted_out(tx, parties).await?;
    let (tenants, ours, customers) = columns(parties.iter().copied());
    let rows = sql::rows(
        tx,
        "select exists (select 1 from opt_in_asks a where a.tenant = p.tenant and a.our_number = p.our_number
                          and a.customer_number = p.customer_number)
         from unnest($1::text[], $2::text[], $3::text[]) with ordinality as p (tenant, our_number, customer_number, nr)
         order by p.nr",
        &[&tenants, &ours, &customers],
    )
    .await?;
    for (awaits, row) in awaits.iter_mut().zip(rows) {
        *awaits |= row.get::<_, bool>(0);
    }
    Ok(awaits)
}

fn columns<'a>(parties: impl Iterator<Item = Party<'a>>) -> (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>) {
    let (mut tenants, mut ours, mut customers) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, our_number, customer_number) in parties {
        tenants.push(tenant);
        ours.push(our_number);
        customers.push(customer_number);
    }
    (tenants, ours, customers)
}
