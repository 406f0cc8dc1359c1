//! What fuzzing begins with: one of each kind that a parser takes, so that it need not find out what JSON is.

/// Beginnings for a parser.
#[must_use]
pub fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "facts" => facts(),
        "deliveries" => vec![DELIVERY.into()],
        "webhooks" => chosen(WEBHOOKS),
        "answers" => chosen(ANSWERS),
        "smpp" => SMPP.iter().map(|pdu| pdu.to_vec()).collect(),
        "certificates" => vec![include_bytes!("../../tests/data/sns.pem").to_vec()],
        "headers" => HEADERS.iter().map(|header| header.to_vec()).collect(),
        "octets" => vec![b"it\x1bes \x02 fine".to_vec(), b"\0i\0t \x19\xd8\x3d\xde\0".to_vec()],
        "joining" => vec![[&[0, 1, 2, 1, 0, 3, 0], b"abc".as_slice(), &[0, 1, 2, 2, 0, 3, 9], b"def"].concat()],
        "texts" => include_str!("../../examples/texts.txt").lines().take(20).map(Into::into).chain(odd()).collect(),
        "numbers" => ["+12125552368", "12345", "911", "+44 7911 123456", "00491511", "MILL"].map(Into::into).into(),
        "flows" => FLOWS.iter().map(|flow| (*flow).into()).collect(),
        "conditions" => ["contact.channel == 'sms' && vars.n > 2\n{\"contact\": {\"channel\": \"sms\"}, \"vars\": {\"n\": 3}}",
                         "size(vars.list) in [1, 2] ? 'a' : \"b\"\n{\"vars\": {\"list\": [1]}}"]
            .map(Into::into)
            .into(),
        "templates" => ["Hi {{ vars.name | upper | default('you') }}{% if vars.n %} {{ vars.n }}{% endif %}\n{\"vars\": {\"name\": \"Bär\"}}"]
            .map(Into::into)
            .into(),
        "tenant_files" => vec![include_str!("../../examples/three-bears.toml").into()],
        "consent_lists" => vec![CONSENT.into()],
        "days" => vec![DAY.into()],
        "media" => vec![b"image/png\n\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), b"text/vcard\nBEGIN:VCARD\r\n".to_vec()],
        "twiml" => [TWIML, "SM019ac5a000017000800000000000000000"].map(Into::into).into(),
        "settings" => ["10.0.0.0/8, 127.0.0.1, fd00::/8", "0.0079 USD"].map(Into::into).into(),
        _ => Vec::new(),
    }
}

const DELIVERY: &str = "sms.received.15550100001-15550100100\nsms.received.v1\n019ac5a0-0001-7000-8000-000000000001\n\
    00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n{\"id\": \"019ac5a0-0001-7000-8000-000000000001\", \
    \"carrier\": \"simulator\", \"from\": \"+15550100100\", \"to\": \"+15550100001\", \"text\": \"hello\", \
    \"received_at\": \"2026-11-24T09:00:00Z\"}";

const FLOWS: &[&str] = &[r#"{"name": "Hook", "start": "hook", "variables": {"crm": null}, "nodes": {
        "hook": {"type": "webhook", "url": "https://crm.example/", "body": {"who": "contact.customer"}, "store": "crm",
                 "timeout_ms": 2000, "next": "hi", "failed": "agent"},
        "hi": {"type": "send", "text": "Hi {{ vars.crm.name }}", "next": "agent"},
        "agent": {"type": "request_agent", "skill": "sms"}}}"#];

/// The carrier, then what it says.
const WEBHOOKS: &[&str] = &[
    "\0MessageSid=SM1&From=%2B15550100100&To=%2B15550100001&Body=hi&NumMedia=1&MediaUrl0=https%3A%2F%2Fm.example%2F1&MediaContentType0=image%2Fpng",
    "\0MessageSid=SM1&MessageStatus=delivered&ErrorCode=30007",
    "\x01{\"data\": {\"event_type\": \"message.received\", \"payload\": {\"id\": \"1\", \"from\": {\"phone_number\": \"+15550100100\"}, \"to\": [{\"phone_number\": \"+15550100001\", \"status\": \"delivered\"}], \"text\": \"hi\", \"media\": [{\"url\": \"https://m.example/1\", \"content_type\": \"image/png\"}]}}}",
    "\x01{\"data\": {\"event_type\": \"message.finalized\", \"payload\": {\"id\": \"1\", \"to\": [{\"phone_number\": \"+15550100100\", \"status\": \"delivery_failed\"}], \"errors\": [{\"code\": \"40001\"}]}}}",
    "\x02msisdn=15550100100&to=15550100001&messageId=1&text=hi&type=unicode&concat=true&concat-ref=7&concat-total=2&concat-part=1&message-timestamp=2026-11-24+09%3A00%3A00",
    "\x02{\"msisdn\": \"15550100100\", \"to\": \"15550100001\", \"messageId\": \"1\", \"status\": \"delivered\", \"err-code\": \"0\", \"scts\": \"2611240900\"}",
    "\x03From=15550100100&To=15550100001&Text=hi&MessageUUID=1&Type=sms&Media0=https%3A%2F%2Fm.example%2F1",
    "\x03MessageUUID=1&Status=delivered&ErrorCode=000&ParentMessageUUID=0",
    "\x04[{\"type\": \"message-received\", \"time\": \"2026-11-24T09:00:00Z\", \"to\": \"+15550100001\", \"message\": {\"id\": \"1\", \"from\": \"+15550100100\", \"to\": [\"+15550100001\"], \"text\": \"hi\", \"media\": [\"https://m.example/1.png\"]}}]",
    "\x04[{\"type\": \"message-failed\", \"errorCode\": 4720, \"message\": {\"id\": \"1\"}}]",
    "\x05{\"originationNumber\": \"+15550100100\", \"destinationNumber\": \"+15550100001\", \"messageBody\": \"hi\", \"inboundMessageId\": \"1\"}",
    "\x05{\"eventType\": \"TEXT_DELIVERED\", \"messageId\": \"1\", \"isFinal\": true, \"eventTimestamp\": 1764000000000}",
];

/// The carrier, the status, then the body.
const ANSWERS: &[&str] = &[
    "\0\x02{\"sid\": \"SM1\", \"status\": \"queued\", \"error_code\": null}",
    "\0\x03{\"code\": 21211, \"message\": \"no\", \"status\": 400}",
    "\x01\0{\"data\": {\"id\": \"1\", \"to\": [{\"status\": \"queued\"}]}}",
    "\x01\x03{\"errors\": [{\"code\": \"40300\", \"title\": \"blocked\"}]}",
    "\x02\0{\"message-count\": \"2\", \"messages\": [{\"status\": \"0\", \"message-id\": \"1\"}, {\"status\": \"1\", \"error-text\": \"throttled\"}]}",
    "\x03\x02{\"message_uuid\": [\"1\"], \"api_id\": \"2\"}",
    "\x04\x02{\"id\": \"1\", \"segmentCount\": 2}",
    "\x04\x03{\"type\": \"request-validation\", \"description\": \"no\"}",
    "\x05\0{\"MessageId\": \"1\"}",
    "\x05\x03{\"__type\": \"ConflictException\", \"Reason\": \"DESTINATION_PHONE_NUMBER_OPTED_OUT\"}",
];

/// Which command, then the body of a text with a header, of a receipt, of a text in a parameter.
const SMPP: &[&[u8]] = &[
    b"\0\0\x01\x0115550100100\0\x01\x0115550100001\0\x40\0\0\0\0\0\0\x08\0\x0a\x05\0\x03\x07\x02\x01\0h\0i",
    b"\0\0\x01\x0115550100100\0\x01\x0115550100001\0\x04\0\0\0\0\0\0\0\0\x72id:7 sub:001 dlvrd:001 submit date:2611240900 \
      done date:2611240901 stat:DELIVRD err:000 text:hi                               \0\x1e\0\x027\0\x04\x27\0\x01\x02",
    b"\x01\0\x01\x0115550100100\0\x01\x0115550100001\0\0\0\0\x04\x24\0\x02hi\x02\x0c\0\x02\0\x07\x02\x0e\0\x01\x02\x02\x0f\0\x01\x01",
];

const HEADERS: &[&[u8]] = &[
    b"\x05\0\x03\x07\x02\x01hello",
    b"\x06\x08\x04\0\x07\x02\x01hello",
    b"\x0b\x05\x04\x0b\x84\x23\xf0\0\x03\x01\x01\x01x",
];

const TWIML: &str = "<?xml version=\"1.0\"?><Response><Message to=\"+15550100100\"><Body>hi &amp; bye</Body><Media>https://m.example/1</Media>\
    </Message><Redirect method=\"POST\">/next</Redirect></Response>";

const CONSENT: &str = "customer_number,kind,at,keyword\n+15550100100,opt_out,2026-11-24T09:00:00Z,\"STOP, please\"\n";

const DAY: &str = "{\"at\": \"2026-11-24T09:00:00Z\", \"point_of_contact\": \"orders\", \"customer\": \"+15550100100\", \"texts\": 3}\n";

fn chosen(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

/// The contract's examples, each behind the number of its fact.
fn facts() -> Vec<Vec<u8>> {
    let examples =
        serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(include_str!("../../examples/facts.json"));
    let examples = examples.unwrap_or_default();
    let numbered = (0..=u8::MAX).zip(super::FACTS);
    numbered.filter_map(|(nr, (name, _))| Some([vec![nr], examples.get(*name)?.to_string().into()].concat())).collect()
}

fn odd() -> impl Iterator<Item = Vec<u8>> {
    ["it’s “fine” – ok…", "👨‍👩‍👧‍👦🇩🇪e\u{301}\u{200b}", "STOP", "Por favor, no más", "€[]{}\\^~|"].into_iter().map(Into::into)
}
