//! Whether notices may leave: tenant, application, number, length, media and consent, each asked for once for all of them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;

use super::Notice;
use crate::application::{self, Application};
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::refusal::Refusal;
use crate::hub::written::media;
use crate::hub::{consent, entry, sql};
use crate::sms::number::recipient;
use crate::tenant::point_of_contact::{self, PointOfContact};

/// What the notices of a batch have in common.
#[derive(Default)]
pub(super) struct Known {
    /// Whether it may text.
    tenants: HashMap<Slug, bool>,
    applications: HashMap<(Slug, Slug), Option<Application>>,
    points: HashMap<(Slug, String), Vec<PointOfContact>>,
    looked: HashSet<Slug>,
}

impl Known {
    /// One application is known already.
    pub(super) fn of(by: &Application) -> Self {
        let key = (by.tenant.clone(), by.id.clone());
        Self { applications: HashMap::from([(key, Some(by.clone()))]), ..Self::default() }
    }

    /// Reads what these are about and is not known yet.
    pub(super) async fn learn(&mut self, tx: &Transaction<'_>, asks: &[&Notice<'_>]) -> Result<(), Failure> {
        for ask in asks {
            if self.looked.insert(ask.tenant.clone()) {
                let row = sql::row(tx, "select sms_messaging from tenants where id = $1", &[ask.tenant]).await?;
                self.tenants.extend(row.map(|row| (ask.tenant.clone(), row.get(0))));
            }
            if let Some(id) = ask.application {
                let key = (ask.tenant.clone(), id.clone());
                if let Entry::Vacant(place) = self.applications.entry(key) {
                    place.insert(application::of_slug(tx, ask.tenant, id).await?);
                }
            }
            let number = entry::words(ask.from);
            if let Entry::Vacant(place) = self.points.entry((ask.tenant.clone(), number.clone())) {
                place.insert(point_of_contact::live_of_tenant(tx, ask.tenant, Some(&number), None).await?);
            }
        }
        Ok(())
    }

    /// Whose it is, where it is an application's.
    pub(super) fn application(&self, ask: &Notice<'_>) -> Option<&Application> {
        self.applications.get(&(ask.tenant.clone(), ask.application?.clone()))?.as_ref()
    }

    /// The point of contact of the number it is to come from, where it may.
    fn point(&self, ask: &Notice<'_>) -> Option<&PointOfContact> {
        let by = self.application(ask);
        let points = self.points.get(&(ask.tenant.clone(), entry::words(ask.from)))?;
        let mut fitting = points.iter().filter(|point| {
            let is_there = point.number_country.is_empty()
                || ask.from_country.is_none_or(|country| country.eq_ignore_ascii_case(&point.number_country));
            is_there && by.is_none_or(|by| by.may_use(&point.id))
        });
        // a short code that is ours in several countries, none of them named, is not one number
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// What is known without asking about the customer.
    fn first_look(&self, ask: &Notice<'_>) -> Result<&PointOfContact, Refusal> {
        if ask.application.is_some() && self.application(ask).is_none() {
            return Err(Refusal::UnknownApplication);
        }
        match self.tenants.get(ask.tenant) {
            None => return Err(Refusal::UnknownTenant),
            Some(false) => return Err(Refusal::DisabledTenant),
            Some(true) => {}
        }
        if let Some(why) = recipient::unfit(ask.to) {
            return Err(why.into());
        }
        if !ask.line.has_fine_length() {
            return Err(Refusal::TextLength);
        }
        self.point(ask).ok_or(Refusal::NoNumber)
    }
}

/// From which point of contact each may leave, or why it may not, in their order.
pub(super) async fn judge(
    tx: &Transaction<'_>,
    known: &Known,
    asks: &[&Notice<'_>],
) -> Result<Vec<Result<PointOfContact, Refusal>>, Failure> {
    let mut judged = Vec::with_capacity(asks.len());
    for ask in asks {
        judged.push(match known.first_look(ask) {
            Ok(point) => match media::refusal(tx, &ask.line, point.carrier.as_ref()).await? {
                Some(why) => Err(why),
                None => Ok(point.clone()),
            },
            Err(why) => Err(why),
        });
    }
    let places: Vec<usize> = (0..asks.len()).filter(|nth| judged[*nth].is_ok()).collect();
    let parties: Vec<consent::Party<'_>> = places
        .iter()
        .filter_map(|nth| {
            let number = &judged[*nth].as_ref().ok()?.number;
            Some((asks[*nth].tenant.as_str(), number.as_str(), asks[*nth].to))
        })
        .collect();
    let is_out = consent::opted_out(tx, &parties).await?;
    for (nth, is_out) in places.into_iter().zip(is_out) {
        if is_out {
            judged[nth] = Err(Refusal::OptedOut);
        }
    }
    Ok(judged)
}
