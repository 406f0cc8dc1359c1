//! A part as octets, and octets as text again: GSM septets one to an octet ("unpacked", as SMPP carries them) or packed
//! eight to seven octets (as the radio does), and UTF-16 in network order. Decoding never fails: what cannot be read
//! becomes U+FFFD, and is told. Sources: 3GPP TS 23.038 (6.1.2.1, 6.2.1.1), TS 23.040 (9.2.3.24).

use super::encoding::{self, ESCAPE, Encoding};

/// What stands for octets that mean nothing.
const UNREADABLE: char = '\u{fffd}';
/// The first octet that is no septet.
const BEYOND: u8 = 0x80;
/// Stands at the beginning of a text in UTF-16 and tells its order; the other way round, the order is reversed.
const BYTE_ORDER_MARK: u16 = 0xFEFF;

/// A text read from octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// With U+FFFD where nothing could be read.
    pub text: String,
    /// Whether every octet had a meaning.
    pub is_exact: bool,
}

/// A part's octets: GSM unpacked, or UTF-16 in network order. None where the text is not in the GSM alphabet. No byte
/// order mark is put before it.
#[must_use]
pub fn encode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Gsm7 => septets(text),
        Encoding::Ucs2 => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    }
}

/// The text of octets, which may be several parts joined.
#[must_use]
pub fn decode(octets: &[u8], encoding: Encoding) -> Decoded {
    match encoding {
        Encoding::Gsm7 => of_septets(octets),
        Encoding::Ucs2 => of_utf16(octets),
    }
}

/// Septets of a text, one to an octet, escapes included; none where a character is not in the alphabet.
fn septets(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for c in text.chars() {
        let (is_escaped, septet) = encoding::septet(c)?;
        if is_escaped {
            septets.push(ESCAPE);
        }
        septets.push(septet);
    }
    Some(septets)
}

/// An escape before a septet that the extension table lacks is passed over, and the septet read from the basic table
/// (6.2.1.1, note 1); a second escape or the end stands for a table that nobody has made: a space.
fn of_septets(octets: &[u8]) -> Decoded {
    let (mut text, mut is_exact, mut rest) = (String::with_capacity(octets.len()), true, octets.iter());
    while let Some(&octet) = rest.next() {
        let read = match octet {
            ESCAPE => match rest.next() {
                Some(&next) if next < BEYOND && next != ESCAPE => {
                    let known = encoding::character(true, next);
                    is_exact &= known.is_some();
                    known.or_else(|| encoding::character(false, next))
                }
                Some(&ESCAPE) | None => {
                    is_exact = false;
                    Some(' ')
                }
                Some(_) => None,
            },
            septet if septet < BEYOND => encoding::character(false, septet),
            _ => None,
        };
        is_exact &= read.is_some();
        text.push(read.unwrap_or(UNREADABLE));
    }
    Decoded { text, is_exact }
}

/// A byte order mark at the beginning is dropped, and obeyed.
fn of_utf16(octets: &[u8]) -> Decoded {
    let mut pairs = octets.chunks_exact(2);
    let mut units: Vec<u16> = pairs.by_ref().map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    if units.first() == Some(&BYTE_ORDER_MARK.swap_bytes()) {
        for unit in &mut units {
            *unit = unit.swap_bytes();
        }
    }
    let units = units.strip_prefix(&[BYTE_ORDER_MARK]).unwrap_or(&units);
    let mut is_exact = true;
    let mut read = |unit: Result<char, _>| {
        is_exact &= unit.is_ok();
        unit.unwrap_or(UNREADABLE)
    };
    let mut text: String = char::decode_utf16(units.iter().copied()).map(&mut read).collect();
    if !pairs.remainder().is_empty() {
        (text, is_exact) = (text + "\u{fffd}", false);
    }
    Decoded { text, is_exact }
}

/// Septets packed eight to seven octets, behind a header of so many octets: zero bits fill up to the next septet's
/// border. The header itself is not put in.
#[must_use]
pub fn pack(septets: &[u8], header_octets: usize) -> Vec<u8> {
    let first = fill(header_octets);
    let mut octets = vec![0; (first + septets.len() * 7).div_ceil(8)];
    for (nth, septet) in septets.iter().enumerate() {
        let bit = first + nth * 7;
        let word = u16::from(septet & 0x7F) << (bit % 8);
        let [low, high] = word.to_le_bytes();
        octets[bit / 8] |= low;
        if high != 0 {
            octets[bit / 8 + 1] |= high;
        }
    }
    octets
}

/// At most so many septets of packed octets, behind a header of so many octets that is not among them. The count is
/// told beside the octets on the wire: seven spare bits could be an `@`.
#[must_use]
pub fn unpack(octets: &[u8], header_octets: usize, count: usize) -> Vec<u8> {
    let first = fill(header_octets);
    let there = (octets.len() * 8).saturating_sub(first) / 7;
    let septet = |nth: usize| {
        let bit = first + nth * 7;
        let [low, high] = [bit / 8, bit / 8 + 1].map(|at| u16::from(octets.get(at).copied().unwrap_or(0)));
        let [septet, _] = ((low | high << 8) >> (bit % 8) & 0x7F).to_le_bytes();
        septet
    };
    (0..count.min(there)).map(septet).collect()
}

/// Bits between a header and the next septet's border.
fn fill(header_octets: usize) -> usize {
    (7 - header_octets % 7 * 8 % 7) % 7
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_vectors() {
        // TS 23.038's packing, as in many texts on it
        let hello = septets("hellohello").unwrap();
        assert_eq!(pack(&hello, 0), [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
        assert_eq!(encode("{€@Ç", Encoding::Gsm7).unwrap(), [0x1B, 0x28, 0x1B, 0x65, 0x00, 0x09]);
        assert_eq!(encode("ç", Encoding::Gsm7), None);
        assert_eq!(encode("я😀", Encoding::Ucs2).unwrap(), [0x04, 0x4F, 0xD8, 0x3D, 0xDE, 0x00]);
        let (single, several) = (pack(&[0x20; 160], 0).len(), pack(&[0x20; 153], 6).len());
        assert_eq!((single, several, pack(&[0x20; 152], 7).len()), (140, 134, 133));
    }

    #[test]
    fn a_header_is_followed_by_bits_up_to_a_septet_s_border() {
        assert_eq!([0, 5, 6, 7, 8].map(fill), [0, 2, 1, 0, 6]);
        assert_eq!(pack(b"A", 6), [0x82]);
        assert_eq!(unpack(&[0x82], 6, 1), b"A");
    }

    #[test]
    fn what_means_nothing_is_told() {
        let gsm = |octets: &[u8]| (of_septets(octets).text, of_septets(octets).is_exact);
        assert_eq!(gsm(b"a\x1b"), ("a ".to_owned(), false));
        assert_eq!(gsm(b"\x1b\x1bb"), (" b".to_owned(), false));
        assert_eq!(gsm(b"\x1ba"), ("a".to_owned(), false));
        assert_eq!(gsm(b"a\x80\xffb"), ("a\u{fffd}\u{fffd}b".to_owned(), false));
        let utf16 = |octets: &[u8]| (of_utf16(octets).text, of_utf16(octets).is_exact);
        assert_eq!(utf16(b"\0a\0"), ("a\u{fffd}".to_owned(), false));
        assert_eq!(utf16(b"\xd8\x3d\0a"), ("\u{fffd}a".to_owned(), false));
        assert_eq!(utf16(b"\xfe\xff\0a"), ("a".to_owned(), true));
        assert_eq!(utf16(b"\xff\xfea\0"), ("a".to_owned(), true));
    }

    proptest! {
        #[test]
        fn a_text_comes_back(text in "[a-z @_£é€{}\\[\\r\\n]{0,200}|[^\u{feff}]\\PC{0,100}") {
            let encoding = Encoding::of(&text);
            let octets = encode(&text, encoding).unwrap();
            let unit = if encoding == Encoding::Gsm7 { 1 } else { 2 };
            prop_assert_eq!(octets.len(), encoding.units(&text) * unit);
            prop_assert_eq!(decode(&octets, encoding), Decoded { text, is_exact: true });
        }

        #[test]
        fn packed_septets_come_back(septets in proptest::collection::vec(0_u8..128, 0..200), header in 0_usize..20) {
            let packed = pack(&septets, header);
            prop_assert_eq!(unpack(&packed, header, septets.len()), septets);
        }

        #[test]
        fn any_octets_are_read(octets in proptest::collection::vec(any::<u8>(), 0..400), header: u8, count: u16) {
            for encoding in [Encoding::Gsm7, Encoding::Ucs2] {
                prop_assert!(decode(&octets, encoding).text.chars().count() <= octets.len());
            }
            prop_assert!(unpack(&octets, header.into(), count.into()).len() <= octets.len() * 8 / 7);
        }
    }
}
