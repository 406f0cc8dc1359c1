//! Origins of pages, as browsers write them: scheme, host, and the port where it is not the scheme's own (RFC 6454 §6.2).

use reqwest::Url;

/// The origin that somebody means: of `https://Example.com/shop/` it is `https://example.com`. None of what is no web
/// address, or holds a user or a wildcard.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    let url: Url = text.trim().parse().ok()?;
    let is_web = ["http", "https"].contains(&url.scheme());
    let has_user = !url.username().is_empty() || url.password().is_some();
    let is_plain = url.host_str().is_some_and(|host| !host.is_empty() && !host.contains('*'));
    (is_web && !has_user && is_plain).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for (text, origin) in [
            ("https://www.example.com", Some("https://www.example.com")),
            ("https://Example.com/shop/?a=b", Some("https://example.com")),
            ("http://127.0.0.1:8090/", Some("http://127.0.0.1:8090")),
            ("https://example.com:443", Some("https://example.com")),
            ("https://bücher.example", Some("https://xn--bcher-kva.example")),
            ("https://*.example.com", None),
            ("*", None),
            ("null", None),
            ("www.example.com", None),
            ("https://me:secret@example.com", None),
            ("file:///tmp/page.html", None),
        ] {
            assert_eq!(canonical(text).as_deref(), origin, "{text}");
        }
    }
}
