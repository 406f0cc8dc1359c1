//! PDUs of SMPP 3.4: the header, what we send (written by rusmpp), and what is read of bodies. Reading is our own and
//! lenient: an optional parameter that is odd costs itself alone, and octets that mean nothing cost one PDU, never the
//! bind. Source: SMPP Protocol Specification v3.4, issue 1.2, sections 3.2, 4 and 5.

use bytes::{BufMut, BytesMut};
use rusmpp_core::encode::Length;
use rusmpp_core::encode::owned::Encode;
use rusmpp_core::pdus::owned::Pdu;
use rusmpp_core::{CommandStatus, command::owned::Command};

/// Octets of a header.
pub const HEADER: usize = 16;
/// Largest PDU that is read, in octets; a larger one is passed over.
pub const LARGEST: usize = 64 * 1024;

/// Identifiers of commands (5.1.2.1); those of answers have the highest bit.
pub mod id {
    pub const GENERIC_NACK: u32 = 0x8000_0000;
    pub const SUBMIT_SM_RESP: u32 = 0x8000_0004;
    pub const DELIVER_SM: u32 = 0x0000_0005;
    pub const UNBIND: u32 = 0x0000_0006;
    pub const ENQUIRE_LINK: u32 = 0x0000_0015;
    pub const DATA_SM: u32 = 0x0000_0103;
    pub const ALERT_NOTIFICATION: u32 = 0x0000_0102;
    pub const OUTBIND: u32 = 0x0000_000B;
    pub const ANSWER: u32 = 0x8000_0000;
}

/// Tags of the optional parameters that are read (5.3.2).
pub mod tag {
    pub const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    pub const SAR_MSG_REF_NUM: u16 = 0x020C;
    pub const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
    pub const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
    pub const NETWORK_ERROR_CODE: u16 = 0x0423;
    pub const MESSAGE_PAYLOAD: u16 = 0x0424;
    pub const MESSAGE_STATE: u16 = 0x0427;
}

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the whole PDU, in octets.
    pub length: u32,
    /// Which command.
    pub id: u32,
    /// How it went; of answers.
    pub status: u32,
    /// Ties an answer to its request.
    pub sequence: u32,
}

impl Head {
    /// Reads one.
    #[must_use]
    pub fn read(octets: [u8; HEADER]) -> Self {
        let word = |at: usize| u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
        Self { length: word(0), id: word(4), status: word(8), sequence: word(12) }
    }

    /// It answers a request of ours.
    #[must_use]
    pub fn is_answer(self) -> bool {
        self.id & id::ANSWER != 0
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn octets(self) -> [u8; HEADER] {
        let mut octets = [0; HEADER];
        for (at, word) in [self.length, self.id, self.status, self.sequence].into_iter().enumerate() {
            octets[at * 4..at * 4 + 4].copy_from_slice(&word.to_be_bytes());
        }
        octets
    }
}

/// A PDU as it goes over the wire.
#[must_use]
pub fn frame(status: CommandStatus, sequence: u32, pdu: Pdu) -> BytesMut {
    let command = Command::new(status, sequence, pdu);
    let length = 4 + command.length();
    let mut octets = BytesMut::with_capacity(length);
    octets.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    command.encode(&mut octets);
    octets
}

/// An answer that is a header alone but for an empty message id where its command has one.
#[must_use]
pub fn answer(to: Head, status: u32) -> BytesMut {
    let has_id = matches!(to.id, id::DELIVER_SM | id::DATA_SM);
    answer_as(if is_known(to.id) { to.id | id::ANSWER } else { id::GENERIC_NACK }, status, to.sequence, has_id)
}

fn answer_as(id: u32, status: u32, sequence: u32, has_id: bool) -> BytesMut {
    let length = HEADER + usize::from(has_id);
    let head = Head { length: u32::try_from(length).unwrap_or(16), id, status, sequence };
    let mut octets = BytesMut::with_capacity(length);
    octets.put_slice(&head.octets());
    octets.resize(length, 0);
    octets
}

fn is_known(command: u32) -> bool {
    matches!(command, id::DELIVER_SM | id::DATA_SM | id::UNBIND | id::ENQUIRE_LINK)
}

/// One end of a text, as the SMSC has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Type of number (5.2.5).
    pub ton: u8,
    /// Numbering plan (5.2.6).
    pub npi: u8,
    /// As it came; what is not UTF-8 is replaced.
    pub address: String,
}

/// What a `deliver_sm` or a `data_sm` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliver {
    /// From whom.
    pub source: Place,
    /// To whom.
    pub destination: Place,
    /// What kind of message (5.2.12).
    pub esm_class: u8,
    /// How it is written (5.2.19).
    pub data_coding: u8,
    /// Header and text, from `short_message` or else `message_payload`.
    pub message: Vec<u8>,
    /// Optional parameters in their order, up to one that is cut off.
    pub tlvs: Vec<(u16, Vec<u8>)>,
}

impl Deliver {
    /// Reads a body; none where its mandatory part is cut off.
    #[must_use]
    pub fn read(command: u32, body: &[u8]) -> Option<Self> {
        let mut from = Reader(body);
        let mut read = Self::default();
        from.text()?;
        (read.source, read.destination) = (from.place()?, from.place()?);
        read.esm_class = from.octet()?;
        if command == id::DATA_SM {
            from.octet()?;
            read.data_coding = from.octet()?;
        } else {
            from.take(2)?;
            from.text()?;
            from.text()?;
            from.take(2)?;
            read.data_coding = from.octet()?;
            from.octet()?;
            let length = from.octet()?;
            read.message = from.take(length.into())?.to_vec();
        }
        while let Some(tlv) = from.tlv() {
            read.tlvs.push(tlv);
        }
        if read.message.is_empty()
            && let Some(payload) = read.tlv(tag::MESSAGE_PAYLOAD)
        {
            read.message = payload.to_vec();
        }
        Some(read)
    }

    /// An optional parameter.
    #[must_use]
    pub fn tlv(&self, tag: u16) -> Option<&[u8]> {
        self.tlvs.iter().find(|(other, _)| *other == tag).map(|(_, value)| value.as_slice())
    }

    /// The number in an optional parameter of one or two octets.
    #[must_use]
    pub fn number(&self, tag: u16) -> Option<u16> {
        match *self.tlv(tag)? {
            [low] => Some(low.into()),
            [high, low] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    /// The text in an optional parameter, up to its NUL.
    #[must_use]
    pub fn text(&self, tag: u16) -> Option<String> {
        let octets = self.tlv(tag)?;
        let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
        Some(String::from_utf8_lossy(&octets[..end]).trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// The message id of a `submit_sm_resp`'s body, up to its NUL or the end.
#[must_use]
pub fn message_id(body: &[u8]) -> Option<String> {
    let end = body.iter().position(|octet| *octet == 0).unwrap_or(body.len());
    std::str::from_utf8(&body[..end]).ok().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// What is left of a body.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1).map(|octets| octets[0])
    }

    /// Up to a NUL, which is taken too.
    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|octet| *octet == 0)?;
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    fn place(&mut self) -> Option<Place> {
        Some(Place { ton: self.octet()?, npi: self.octet()?, address: self.text()? })
    }

    fn tlv(&mut self) -> Option<(u16, Vec<u8>)> {
        let &[t1, t0, l1, l0] = self.take(4)? else { return None };
        let value = self.take(u16::from_be_bytes([l1, l0]).into())?;
        Some((u16::from_be_bytes([t1, t0]), value.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp_core::decode::owned::DecodeWithLength;
    use rusmpp_core::pdus::owned::DeliverSm;
    use rusmpp_core::tlvs::owned::MessageDeliveryRequestTlvValue as Tlv;
    use rusmpp_core::types::owned::{AnyOctetString, COctetString, OctetString};
    use rusmpp_core::values::{DataCoding, EsmClass, Npi, Ton};

    use super::*;

    fn deliver(source: &str, text: &[u8], tlvs: Vec<Tlv>) -> DeliverSm {
        DeliverSm::builder()
            .source_addr_ton(Ton::International)
            .source_addr_npi(Npi::Isdn)
            .source_addr(COctetString::from_string(source.to_owned()).unwrap())
            .destination_addr(COctetString::from_string("12345".to_owned()).unwrap())
            .esm_class(EsmClass::from(0x40))
            .data_coding(DataCoding::Ucs2)
            .short_message(OctetString::from_slice(text).unwrap())
            .tlvs(tlvs)
            .build()
    }

    /// Foreign octets, by rusmpp.
    fn body(pdu: DeliverSm) -> Vec<u8> {
        frame(CommandStatus::EsmeRok, 7, pdu.into())[HEADER..].to_vec()
    }

    #[test]
    fn what_rusmpp_writes_is_read() {
        let tlvs = vec![Tlv::SarMsgRefNum(513), Tlv::SarTotalSegments(2)];
        let written = frame(CommandStatus::EsmeRok, 7, deliver("15550100100", b"\0a\0b", tlvs).into());
        let head = Head::read(written[..HEADER].try_into().unwrap());
        assert_eq!((head.length as usize, head.id, head.status, head.sequence), (written.len(), id::DELIVER_SM, 0, 7));
        assert_eq!(head.octets(), written[..HEADER]);
        let read = Deliver::read(head.id, &written[HEADER..]).unwrap();
        assert_eq!(read.source, Place { ton: 1, npi: 1, address: "15550100100".into() });
        assert_eq!((read.destination.address.as_str(), read.esm_class, read.data_coding), ("12345", 0x40, 8));
        assert_eq!(read.message, b"\0a\0b");
        assert_eq!((read.number(tag::SAR_MSG_REF_NUM), read.number(tag::SAR_TOTAL_SEGMENTS)), (Some(513), Some(2)));
        let payload = Tlv::MessagePayload(AnyOctetString::from_vec(vec![b'x'; 1000]).into());
        let long = Deliver::read(id::DELIVER_SM, &body(deliver("1", b"", vec![payload]))).unwrap();
        assert_eq!(long.message.len(), 1000);
    }

    #[test]
    fn an_odd_optional_parameter_costs_itself_alone() {
        let mut octets = body(deliver("15550100100", b"hello", vec![]));
        octets.extend([0x04, 0x27, 0, 3, 1, 2, 3]); // a message_state of three octets
        octets.extend([0x00, 0x1E, 0, 9, b'a']); // cut off
        let read = Deliver::read(id::DELIVER_SM, &octets).unwrap();
        assert_eq!((read.message.as_slice(), read.number(tag::MESSAGE_STATE)), (b"hello".as_slice(), None));
        assert_eq!(read.text(tag::RECEIPTED_MESSAGE_ID), None);
        assert_eq!(Deliver::read(id::DELIVER_SM, &octets[..20]), None);
    }

    #[test]
    fn answers_are_those_of_their_commands() {
        let to = |id| Head { length: 16, id, status: 0, sequence: 9 };
        let read = |octets: &BytesMut| Head::read(octets[..HEADER].try_into().unwrap());
        let taken = answer(to(id::DELIVER_SM), 0);
        assert_eq!((taken.len(), read(&taken).length, read(&taken).id), (17, 17, 0x8000_0005));
        let unknown = read(&answer(to(0x77), 3));
        assert_eq!((unknown.id, unknown.status, unknown.sequence), (id::GENERIC_NACK, 3, 9));
        assert_eq!(read(&answer(to(id::ENQUIRE_LINK), 0)).id, 0x8000_0015);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_not_and_never_grow(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            for command in [id::DELIVER_SM, id::DATA_SM] {
                if let Some(read) = Deliver::read(command, &octets) {
                    let size: usize = read.tlvs.iter().map(|(_, value)| value.len() + 4).sum();
                    prop_assert!(read.message.len() + size <= 2 * octets.len());
                }
            }
            let id = message_id(&octets);
            prop_assert!(id.is_none_or(|id| id.len() <= octets.len()));
        }

        #[test]
        fn texts_are_read_as_rusmpp_reads_them(source in "[0-9]{1,20}", text in proptest::collection::vec(any::<u8>(), 0..255)) {
            let octets = body(deliver(&source, &text, vec![]));
            let (theirs, _) = DeliverSm::decode(&mut BytesMut::from(octets.as_slice()), octets.len()).unwrap();
            let ours = Deliver::read(id::DELIVER_SM, &octets).unwrap();
            prop_assert_eq!(ours.source.address, theirs.source_addr.as_str());
            prop_assert_eq!(ours.message, theirs.short_message().clone().into_vec());
        }
    }
}
