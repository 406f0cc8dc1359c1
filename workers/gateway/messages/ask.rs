//! What an application's form asks for. What would change the sense of a text and is not done here is refused; what
//! only tunes it is passed over. docs/applications.md has the lists.

use texthub::facts::heard::Media;
use texthub::outside;
use texthub::sms::number::Address;

use super::answer::Fault;

/// Parameters that mean something else than a text sent now.
const REFUSED: &[&str] =
    &["SendAt", "ScheduleType", "ContentSid", "ContentVariables", "ApplicationSid", "PersistentAction"];
/// Most media of a text.
const MOST_MEDIA: usize = 10;
/// Most characters of a text.
const MOST: usize = 1_600;

/// A text that is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// From which of our numbers.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What.
    pub text: String,
    /// Links to send along.
    pub media: Vec<Media>,
    /// Who hears what becomes of it.
    pub status_url: Option<String>,
}

impl Ask {
    /// Reads a form.
    pub fn read(form: &[(String, String)]) -> Result<Self, Fault> {
        let find = |name: &str| {
            form.iter().find(|(given, value)| given == name && !value.is_empty()).map(|(_, value)| value.as_str())
        };
        if let Some(name) = REFUSED.iter().find(|name| find(name).is_some()) {
            return Err(Fault::parameter(format!("The parameter {name} is not supported here")));
        }
        let to = find("To").ok_or_else(|| Fault::of(21604))?;
        let from = match (find("From"), find("MessagingServiceSid")) {
            (Some(from), _) => from,
            (None, Some(_)) => return Err(Fault::of(21701)),
            (None, None) => return Err(Fault::of(21603)),
        };
        if !Address::of(from, None).is_number() {
            return Err(Fault::of(21212));
        }
        let links: Vec<&str> = form
            .iter()
            .filter(|(name, value)| name == "MediaUrl" && !value.is_empty())
            .map(|(_, url)| url.as_str())
            .collect();
        if links.len() > MOST_MEDIA || links.iter().any(|url| !outside::is_address(url)) {
            return Err(Fault::of(21620));
        }
        let text = match find("Body") {
            None if links.is_empty() => return Err(Fault::of(21602)),
            body => body.unwrap_or_default(),
        };
        if text.chars().count() > MOST {
            return Err(Fault::of(21617));
        }
        let status_url = find("StatusCallback");
        if status_url.is_some_and(|url| !outside::is_address(url)) {
            return Err(Fault::of(21609));
        }
        // what it is, whoever sends it along looks
        let medium = |url: &str| Media { url: url.to_owned(), kind: "application/octet-stream".to_owned() };
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            text: text.to_owned(),
            media: links.into_iter().map(medium).collect(),
            status_url: status_url.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: &[(&str, &str)]) -> Result<Ask, i32> {
        let mut form = vec![("To", "+15550100100"), ("From", "+15550100001"), ("Body", "hello")];
        form.retain(|(name, _)| change.iter().all(|(changed, _)| changed != name));
        form.extend(change);
        let form: Vec<_> = form.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ask::read(&form).map_err(|fault| fault.code)
    }

    #[test]
    fn a_form_is_read_and_what_only_tunes_it_is_passed_over() {
        let ask =
            read(&[("SmartEncoded", "true"), ("ValidityPeriod", "60"), ("StatusCallback", "https://a.example/s")]);
        let ask = ask.unwrap();
        assert_eq!((ask.from.as_str(), ask.to.as_str(), ask.text.as_str()), ("+15550100001", "+15550100100", "hello"));
        assert_eq!(ask.status_url.as_deref(), Some("https://a.example/s"));
        let media = read(&[("Body", ""), ("MediaUrl", "https://a.example/1"), ("MediaUrl", "https://a.example/2")]);
        assert_eq!(media.unwrap().media.len(), 2);
        assert!(read(&[("Body", &"é".repeat(1_600))]).is_ok());
        assert!(read(&[("From", "55501")]).is_ok(), "a short code");
    }

    #[test]
    fn each_mistake_has_twilios_number() {
        let long = "x".repeat(1_601);
        for (change, code) in [
            (&[("To", "")][..], 21604),
            (&[("From", "")], 21603),
            (&[("From", ""), ("MessagingServiceSid", "MG1")], 21701),
            (&[("From", "Bears")], 21212),
            (&[("Body", "")], 21602),
            (&[("Body", &long)], 21617),
            (&[("MediaUrl", "ftp://a.example")], 21620),
            (&[("StatusCallback", "nowhere")], 21609),
            (&[("SendAt", "2030-01-01T00:00:00Z")], 20001),
            (&[("ContentSid", "HX1"), ("Body", "")], 20001),
        ] {
            assert_eq!(read(change), Err(code), "{change:?}");
        }
        let eleven: Vec<(&str, &str)> = (0..11).map(|_| ("MediaUrl", "https://a.example/1")).collect();
        assert_eq!(read(&eleven), Err(21620));
    }
}
