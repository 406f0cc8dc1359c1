//! The list of an application's texts: which ones a query asks for, and the page that the clients follow.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use texthub::application::texts::{Shown, Wanted};
use texthub::application::twilio::VERSION;
use uuid::Uuid;

use super::answer::{self, Fault};

/// Most texts of a page, and how many by default.
const MOST: i64 = 1_000;
const USUAL: i64 = 50;

/// A query of the list.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which texts.
    pub wanted: Wanted,
    /// Texts of a page.
    pub size: i64,
    page: i64,
    filters: Vec<(String, String)>,
}

impl Query {
    /// Reads a query.
    pub fn read(query: &[(String, String)]) -> Result<Self, Fault> {
        let find = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let (mut since, mut before) = (None, None);
        for (name, value) in query.iter().filter(|(name, _)| name.starts_with("DateSent")) {
            let (from, until) = span(value).ok_or_else(|| Fault::parameter("DateSent is no date"))?;
            match name.as_str() {
                "DateSent" => (since, before) = (Some(from), Some(until)),
                "DateSent>" => since = Some(from),
                "DateSent<" => before = Some(until),
                _ => return Err(Fault::parameter(format!("The parameter {name} is not known"))),
            }
        }
        let after = match find("PageToken") {
            None => None,
            Some(token) => Some(after(token).ok_or_else(|| Fault::parameter("PageToken is none of ours"))?),
        };
        let whole = |name: &str, usual: i64| find(name).map_or(Some(usual), |value| value.parse().ok());
        let size = whole("PageSize", USUAL).ok_or_else(|| Fault::parameter("PageSize is no number"))?;
        let own = |name: &str| find(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let kept = |(name, _): &&(String, String)| !["Page", "PageToken", "PageSize"].contains(&name.as_str());
        Ok(Self {
            wanted: Wanted { from: own("From"), to: own("To"), since, before, after },
            size: size.clamp(1, MOST),
            page: whole("Page", 0).unwrap_or(0).max(0),
            filters: query.iter().filter(kept).cloned().collect(),
        })
    }

    /// The page: of one text more than its size, where there are more.
    pub fn page(&self, account: &str, texts: &[Shown]) -> Value {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let page = &texts[..texts.len().min(size)];
        let next = page.last().filter(|_| texts.len() > size).map(|last| self.uri(account, self.page + 1, Some(last)));
        let messages: Vec<Value> = page.iter().map(|text| answer::message(account, text)).collect();
        let start = self.page.saturating_mul(self.size);
        json!({
            "end": start.saturating_add(i64::try_from(page.len()).unwrap_or(0)).saturating_sub(1).max(start),
            "first_page_uri": self.uri(account, 0, None),
            "messages": messages,
            "next_page_uri": next,
            "page": self.page,
            "page_size": self.size,
            "previous_page_uri": null,
            "start": start,
            "uri": self.uri(account, self.page, None),
        })
    }

    fn uri(&self, account: &str, page: i64, after: Option<&Shown>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        query.append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
        if let Some(last) = after {
            let token = format!("PA{:016x}{}", last.at.as_microsecond(), last.id.simple());
            query.append_pair("PageToken", &token);
        }
        format!("/{VERSION}/Accounts/{account}/Messages.json?{}", query.finish())
    }
}

fn after(token: &str) -> Option<(Timestamp, Uuid)> {
    let digits = token.strip_prefix("PA").filter(|digits| digits.len() == 48 && digits.is_ascii())?;
    let (at, id) = digits.split_at(16);
    let at = i64::from_str_radix(at, 16).ok().and_then(|at| Timestamp::from_microsecond(at).ok())?;
    Some((at, Uuid::try_parse(id).ok()?))
}

/// From when until when: a day of UTC, or a moment.
fn span(text: &str) -> Option<(Timestamp, Timestamp)> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some((at, at));
    }
    let day: Date = text.parse().ok()?;
    let from = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some((from, from.checked_add(SignedDuration::from_hours(24)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Query, i32> {
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Query::read(&query).map_err(|fault| fault.code)
    }

    fn text(nr: u128) -> Shown {
        Shown {
            id: Uuid::from_u128(nr),
            direction: "outbound-api".into(),
            our_number: "+15550100001".into(),
            customer_number: "+15550100100".into(),
            text: "hello".into(),
            parts: 1,
            media: 0,
            refusal: None,
            state: None,
            at: Timestamp::from_microsecond(1_800_000_000_123_456).unwrap(),
            sent_at: None,
            over_at: None,
        }
    }

    #[test]
    fn a_page_leads_to_the_next_with_the_same_filters() {
        let query = read("PageSize=2&To=%2B15550100100&DateSent%3E=2026-01-01").unwrap();
        assert_eq!(query.wanted.to.as_deref(), Some("+15550100100"));
        let page = query.page("AC1", &[text(3), text(2), text(1)]);
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(2));
        let next = page["next_page_uri"].as_str().unwrap();
        let following = read(next.split_once('?').unwrap().1).unwrap();
        assert_eq!(following.wanted.after, Some((text(2).at, text(2).id)));
        assert_eq!((following.page, following.size), (1, 2));
        assert_eq!((&following.wanted.to, following.wanted.since), (&query.wanted.to, query.wanted.since));
        let last = following.page("AC1", &[text(1)]);
        assert_eq!(
            (last["next_page_uri"].is_null(), last["start"].as_i64(), last["end"].as_i64()),
            (true, Some(2), Some(2))
        );
    }

    #[test]
    fn days_and_moments_are_spans() {
        let of = |query: &str| read(query).map(|query| (query.wanted.since, query.wanted.before));
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(of("DateSent=2026-11-25"), Ok((at("2026-11-25T00:00:00Z"), at("2026-11-26T00:00:00Z"))));
        assert_eq!(of("DateSent%3C=2026-11-25T10:00:00Z"), Ok((None, at("2026-11-25T10:00:00Z"))));
        for bad in ["DateSent=yesterday", "PageToken=PA1", "PageToken=PAé", "PageSize=many", "DateSentish=2026-11-25"]
        {
            assert_eq!(of(bad), Err(20001), "{bad}");
        }
        assert_eq!(read("PageSize=100000").unwrap().size, 1_000);
    }
}
