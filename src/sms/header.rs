//! The header before a part's text (user data header, 3GPP TS 23.040, 9.2.3.24): which part of which text it is. Made by
//! the book, read leniently: unknown elements are kept as they are, one that is cut off ends the header, and nothing that
//! a carrier sends makes it fail.

use super::encoding::Reference;

/// Element: parts held together by a number of 8 bits.
const NARROW: u8 = 0x00;
/// Element: parts held together by a number of 16 bits.
const WIDE: u8 = 0x08;

/// Which part of which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concatenation {
    /// The same in all parts of a text; of a narrow one, the lower 8 bits are sent.
    pub reference: u16,
    /// How wide the reference is.
    pub width: Reference,
    /// Parts of the text, from 1.
    pub total: u8,
    /// This one, from 1 to `total`.
    pub part: u8,
}

impl Concatenation {
    /// The header with nothing else in it: 6 octets, or 7 with a wide reference.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let [high, low] = self.reference.to_be_bytes();
        match self.width {
            Reference::Narrow => vec![5, NARROW, 3, low, self.total, self.part],
            Reference::Wide => vec![6, WIDE, 4, high, low, self.total, self.part],
        }
    }

    /// None where it does not hold together: part 0, or more than the total. The standard has such an element passed over.
    fn of(id: u8, data: &[u8]) -> Option<Self> {
        let (reference, width, total, part) = match (id, data) {
            (NARROW, &[reference, total, part]) => (u16::from(reference), Reference::Narrow, total, part),
            (WIDE, &[high, low, total, part]) => (u16::from_be_bytes([high, low]), Reference::Wide, total, part),
            _ => return None,
        };
        (1..=total).contains(&part).then_some(Self { reference, width, total, part })
    }
}

/// An element that is not read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// By TS 23.040, 9.2.3.24.
    pub id: u8,
    /// As it came.
    pub data: Vec<u8>,
}

/// A header that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The last one that holds together, of either width: the standard has the last of several count.
    pub concatenation: Option<Concatenation>,
    /// Everything else, in order.
    pub others: Vec<Element>,
    /// Octets that it takes, with its own length.
    pub octets: usize,
    /// Whether no element was cut off and none contradicts itself.
    pub is_sound: bool,
}

/// Reads the header before a part's text; the text begins at its `octets`. A length beyond the end takes all there is.
#[must_use]
pub fn parse(user_data: &[u8]) -> Header {
    let Some((&length, rest)) = user_data.split_first() else { return Header::default() };
    let within = &rest[..rest.len().min(length.into())];
    let is_sound = within.len() == usize::from(length);
    let mut header = Header { octets: 1 + within.len(), is_sound, ..Header::default() };
    let mut left = within;
    while let [id, length, behind @ ..] = left {
        let Some((data, next)) = behind.split_at_checked(usize::from(*length)) else { break };
        if let Some(concatenation) = Concatenation::of(*id, data) {
            header.concatenation = Some(concatenation);
        } else {
            header.is_sound &= !matches!(*id, NARROW | WIDE);
            header.others.push(Element { id: *id, data: data.to_vec() });
        }
        left = next;
    }
    header.is_sound &= left.is_empty();
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn concatenation(reference: u16, width: Reference, total: u8, part: u8) -> Concatenation {
        Concatenation { reference, width, total, part }
    }

    #[test]
    fn both_widths_are_made_and_read() {
        let narrow = concatenation(0x42, Reference::Narrow, 3, 1);
        assert_eq!(narrow.header(), [5, 0, 3, 0x42, 3, 1]);
        let wide = concatenation(0x1234, Reference::Wide, 255, 255);
        assert_eq!(wide.header(), [6, 8, 4, 0x12, 0x34, 255, 255]);
        for made in [narrow, wide] {
            let mut part = made.header();
            part.extend(b"text");
            let read = parse(&part);
            assert_eq!((read.concatenation, read.octets, read.is_sound), (Some(made), part.len() - 4, true));
        }
    }

    #[test]
    fn what_is_unknown_is_kept_and_the_last_of_several_counts() {
        // ports (05), then two references
        let read = parse(&[17, 5, 4, 0, 80, 0, 81, 0, 3, 7, 2, 1, 8, 4, 0, 9, 2, 2, b'x']);
        assert_eq!(read.concatenation, Some(concatenation(9, Reference::Wide, 2, 2)));
        assert_eq!(read.others, [Element { id: 5, data: vec![0, 80, 0, 81] }]);
        assert!(read.is_sound && read.octets == 18);
    }

    #[test]
    fn what_contradicts_itself_is_passed_over_and_told() {
        for wrong in
            [[5, 0, 3, 7, 2, 3], [5, 0, 3, 7, 2, 0], [5, 0, 3, 7, 0, 0], [5, 0, 9, 7, 2, 1], [9, 0, 3, 7, 2, 9]]
        {
            let read = parse(&wrong);
            assert_eq!((read.concatenation, read.is_sound), (None, false), "{wrong:?}");
        }
        assert_eq!(parse(&[]), Header::default());
        assert_eq!(parse(&[0]).octets, 1);
    }

    proptest! {
        #[test]
        fn any_octets_are_read(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let read = parse(&octets);
            prop_assert!(read.octets <= octets.len().min(256));
            prop_assert!(read.others.iter().map(|other| 2 + other.data.len()).sum::<usize>() <= read.octets);
            if let Some(found) = read.concatenation {
                prop_assert!((1..=found.total).contains(&found.part));
                prop_assert_eq!(parse(&found.header()).concatenation, Some(found));
            }
        }

        #[test]
        fn every_header_comes_back(reference: u16, is_wide: bool, total in 1_u8.., part: u8, text: Vec<u8>) {
            let (width, reference) = if is_wide { (Reference::Wide, reference) } else { (Reference::Narrow, reference & 255) };
            let made = concatenation(reference, width, total, part % total + 1);
            let mut octets = made.header();
            octets.extend(text);
            let read = parse(&octets);
            prop_assert_eq!(read.concatenation, Some(made));
            prop_assert!(read.is_sound && read.others.is_empty() && read.octets == made.header().len());
        }
    }
}
