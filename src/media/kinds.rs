//! What the bytes of a medium are: told by their beginning, and held against what the carrier and the server said. Pure.
//! Nothing is believed that the bytes do not bear out, and what a browser would run (SVG, HTML, scripts) is none of the
//! kinds. Sources: mimesniff.spec.whatwg.org (patterns), iana.org/assignments/media-types.

/// A family of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Image,
    Audio,
    Video,
    Text,
    Pdf,
}

/// What may stand in a container, and what it is called where nobody says more.
struct Sniffed {
    families: &'static [Family],
    name: &'static str,
}

/// A beginning: bytes at a place.
type Mark = (usize, &'static [u8]);

const IMAGE: &[Family] = &[Family::Image];
const AUDIO: &[Family] = &[Family::Audio];
const VIDEO: &[Family] = &[Family::Video];
const EITHER: &[Family] = &[Family::Video, Family::Audio];

/// The more particular first.
const MARKS: &[(&[Mark], Sniffed)] = &[
    (&[(0, b"\xff\xd8\xff")], Sniffed { families: IMAGE, name: "image/jpeg" }),
    (&[(0, b"\x89PNG\r\n\x1a\n")], Sniffed { families: IMAGE, name: "image/png" }),
    (&[(0, b"GIF87a")], Sniffed { families: IMAGE, name: "image/gif" }),
    (&[(0, b"GIF89a")], Sniffed { families: IMAGE, name: "image/gif" }),
    (&[(0, b"RIFF"), (8, b"WEBP")], Sniffed { families: IMAGE, name: "image/webp" }),
    (&[(0, b"BM"), (6, b"\0\0\0\0")], Sniffed { families: IMAGE, name: "image/bmp" }),
    (&[(0, b"II*\0")], Sniffed { families: IMAGE, name: "image/tiff" }),
    (&[(0, b"MM\0*")], Sniffed { families: IMAGE, name: "image/tiff" }),
    (&[(4, b"ftypheic")], Sniffed { families: IMAGE, name: "image/heic" }),
    (&[(4, b"ftypheix")], Sniffed { families: IMAGE, name: "image/heic" }),
    (&[(4, b"ftypmif1")], Sniffed { families: IMAGE, name: "image/heif" }),
    (&[(4, b"ftypavif")], Sniffed { families: IMAGE, name: "image/avif" }),
    (&[(4, b"ftypM4A ")], Sniffed { families: AUDIO, name: "audio/mp4" }),
    (&[(4, b"ftypqt  ")], Sniffed { families: VIDEO, name: "video/quicktime" }),
    (&[(4, b"ftyp3g")], Sniffed { families: EITHER, name: "video/3gpp" }),
    (&[(4, b"ftyp")], Sniffed { families: EITHER, name: "video/mp4" }),
    (&[(0, b"\x1a\x45\xdf\xa3")], Sniffed { families: EITHER, name: "video/webm" }),
    (&[(0, b"RIFF"), (8, b"AVI ")], Sniffed { families: VIDEO, name: "video/avi" }),
    (&[(0, b"\0\0\x01\xba")], Sniffed { families: VIDEO, name: "video/mpeg" }),
    (&[(0, b"\0\0\x01\xb3")], Sniffed { families: VIDEO, name: "video/mpeg" }),
    (&[(0, b"OggS\0")], Sniffed { families: &[Family::Audio, Family::Video], name: "audio/ogg" }),
    (&[(0, b"RIFF"), (8, b"WAVE")], Sniffed { families: AUDIO, name: "audio/wav" }),
    (&[(0, b"#!AMR")], Sniffed { families: AUDIO, name: "audio/amr" }),
    (&[(0, b"fLaC")], Sniffed { families: AUDIO, name: "audio/flac" }),
    (&[(0, b"MThd\0\0\0\x06")], Sniffed { families: AUDIO, name: "audio/midi" }),
    (&[(0, b"ID3")], Sniffed { families: AUDIO, name: "audio/mpeg" }),
    (&[(0, b"%PDF-")], Sniffed { families: &[Family::Pdf], name: "application/pdf" }),
];

fn sniff(bytes: &[u8]) -> Option<&'static Sniffed> {
    const ADTS: &Sniffed = &Sniffed { families: AUDIO, name: "audio/aac" };
    const MPEG: &Sniffed = &Sniffed { families: AUDIO, name: "audio/mpeg" };
    let holds = |(at, mark): &Mark| bytes.get(*at..).is_some_and(|rest| rest.starts_with(mark));
    if let Some((_, found)) = MARKS.iter().find(|(marks, _)| marks.iter().all(holds)) {
        return Some(found);
    }
    match bytes {
        // frames of twelve sync bits: layer 0 is AAC, 1 to 3 are MPEG audio
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Some(ADTS),
        [0xff, second, third, ..] if second & 0xe0 == 0xe0 && second & 0x06 != 0 && third >> 4 != 0xf => Some(MPEG),
        _ => None,
    }
}

/// The type without its parameters, in small letters; none where it says nothing.
fn essence(told: &str) -> Option<String> {
    let name = told.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let says_nothing = ["", "application/octet-stream", "binary/octet-stream", "application/binary", "*/*"];
    (!says_nothing.contains(&name.as_str())).then_some(name)
}

/// The family that a type names; none for what is not taken at all.
fn family(name: &str) -> Option<Family> {
    // what a browser would run
    if name.contains("svg") || name.contains("html") || name.contains("xml") || name.contains("script") {
        return None;
    }
    match name.split_once('/')? {
        ("image", _) => Some(Family::Image),
        ("audio", _) | ("application", "ogg") => Some(Family::Audio),
        ("video", _) => Some(Family::Video),
        ("text", "plain" | "vcard" | "x-vcard" | "directory" | "calendar" | "x-vcalendar") => Some(Family::Text),
        ("application", "pdf") => Some(Family::Pdf),
        _ => None,
    }
}

/// Under which type a medium is kept.
///
/// # Errors
/// `type_not_allowed`: what was said, or what nobody said anything of and is unknown; `not_its_type`: the bytes are not
/// what was said of them.
pub fn judge(told: &str, served: Option<&str>, bytes: &[u8]) -> Result<String, &'static str> {
    let said: Vec<String> = [Some(told), served].into_iter().flatten().filter_map(essence).collect();
    let families: Vec<Family> =
        said.iter().map(|name| family(name)).collect::<Option<_>>().ok_or("type_not_allowed")?;
    match sniff(bytes) {
        Some(found) if families.iter().all(|family| found.families.contains(family)) => {
            // a container is called as it was said; what is one thing alone, by its own name
            let is_open = found.families.len() > 1;
            let name = said.last().filter(|_| is_open).map_or(found.name, String::as_str);
            Ok(if name == "application/ogg" { found.name.to_owned() } else { name.to_owned() })
        }
        None if families.is_empty() => Err("type_not_allowed"),
        None if families.iter().all(|family| *family == Family::Text) => text(said.last().map(String::as_str), bytes),
        _ => Err("not_its_type"),
    }
}

/// Words: UTF-8 without control characters, that no browser takes for a page.
fn text(said: Option<&str>, bytes: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not_its_type")?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}')) {
        return Err("not_its_type");
    }
    let begins = |word: &str| {
        let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\n', '\r', '\u{c}']);
        start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    match said {
        // a page by another name
        _ if begins("<") => Err("type_not_allowed"),
        Some("text/vcard" | "text/x-vcard" | "text/directory") if begins("BEGIN:VCARD") => Ok("text/vcard".to_owned()),
        Some("text/calendar" | "text/x-vcalendar") if begins("BEGIN:VCALENDAR") => Ok("text/calendar".to_owned()),
        Some("text/plain") | None => Ok("text/plain".to_owned()),
        Some(_) => Err("not_its_type"),
    }
}

/// The end of a file's name for a type; none where there is no usual one.
#[must_use]
pub fn extension(name: &str) -> Option<&'static str> {
    Some(match name {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/bmp" => "bmp",
        "image/tiff" => "tiff",
        "image/heic" => "heic",
        "image/heif" => "heif",
        "image/avif" => "avif",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        "audio/ogg" => "ogg",
        "audio/wav" => "wav",
        "video/mp4" => "mp4",
        "video/3gpp" => "3gp",
        "video/webm" => "webm",
        "video/quicktime" => "mov",
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/vcard" => "vcf",
        "text/calendar" => "ics",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
    const MP4: &[u8] = b"\0\0\0\x18ftypmp42";

    #[test]
    fn what_the_bytes_bear_out_is_taken_under_its_own_name() {
        for (told, served, bytes, name) in [
            ("image/png", Some("image/png"), PNG, "image/png"),
            ("image/jpg", None, JPEG, "image/jpeg"),
            ("IMAGE/PNG; x=1", Some("binary/octet-stream"), PNG, "image/png"),
            ("application/octet-stream", None, JPEG, "image/jpeg"),
            ("image/jpeg", Some("image/png"), PNG, "image/png"),
            ("video/mp4", None, MP4, "video/mp4"),
            ("audio/mp4", None, MP4, "audio/mp4"),
            ("", None, MP4, "video/mp4"),
            ("application/ogg", None, b"OggS\0\x02", "audio/ogg"),
            ("audio/mpeg", None, b"\xff\xfb\x90\x64", "audio/mpeg"),
            ("audio/aac", None, b"\xff\xf1\x50\x80", "audio/aac"),
            ("audio/amr", None, b"#!AMR\n<", "audio/amr"),
            ("application/pdf", Some("application/pdf"), b"%PDF-1.7\n", "application/pdf"),
            ("text/plain", Some("text/plain; charset=utf-8"), "grüße\n".as_bytes(), "text/plain"),
            ("text/x-vcard", None, b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "text/vcard"),
            ("text/vcard", Some("text/plain"), b"BEGIN:VCARD\r\n", "text/plain"),
        ] {
            assert_eq!(judge(told, served, bytes).as_deref(), Ok(name), "{told} {served:?}");
        }
    }

    #[test]
    fn nothing_that_a_browser_would_run_and_nothing_under_a_false_name() {
        for (told, served, bytes, word) in [
            ("image/svg+xml", None, b"<svg xmlns=''/>".as_slice(), "type_not_allowed"),
            ("image/png", Some("text/html"), PNG, "type_not_allowed"),
            ("image/png", Some("text/html; charset=utf-8"), b"<html>", "type_not_allowed"),
            ("text/plain", None, b"\xef\xbb\xbf \n<!DOCTYPE html>", "type_not_allowed"),
            ("text/plain", None, b"<SCRIPT>", "type_not_allowed"),
            ("application/javascript", None, b"alert(1)", "type_not_allowed"),
            ("application/zip", None, b"PK\x03\x04", "type_not_allowed"),
            ("application/octet-stream", None, b"MZ\x90\0", "type_not_allowed"),
            ("image/png", None, b"<svg/>", "not_its_type"),
            ("image/png", None, b"", "not_its_type"),
            ("image/png", None, b"%PDF-1.7", "not_its_type"),
            ("image/png", Some("image/png"), MP4, "not_its_type"),
            ("audio/mpeg", None, b"just words", "not_its_type"),
            ("text/plain", None, PNG, "not_its_type"),
            ("text/plain", None, b"a\0b", "not_its_type"),
            ("text/plain", None, b"\xc3(", "not_its_type"),
            ("text/vcard", None, b"hello", "not_its_type"),
            ("image/png", Some("application/pdf"), b"%PDF-1.7", "not_its_type"),
        ] {
            assert_eq!(judge(told, served, bytes), Err(word), "{told} {served:?} {bytes:?}");
        }
    }

    proptest! {
        /// Whatever comes and whatever is said of it, what is kept is of a kind that no browser runs.
        #[test]
        fn any_bytes_are_judged(
            told in "(image|audio|video|text|application)/[a-z+.]{0,12}|\\PC{0,20}",
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok(name) = judge(&told, None, &bytes) {
                prop_assert!(family(&name).is_some(), "{name}");
            }
        }
    }
}
