//! What an application answers to a customer's text: `TwiML`, of which `<Message>` is honoured. Without document types, so
//! that no entity stands for more than it says; a largest number of nodes. Source: twilio.com/docs/messaging/twiml.

use roxmltree::{Document, Node, ParsingOptions};

use crate::outside;

/// Most messages of an answer.
const MOST: usize = 10;
/// Most nodes of a document.
const NODES: u32 = 1_000;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// In their order; at most ten.
    pub messages: Vec<Message>,
    /// What else stood there and is not done: verbs, a recipient of its own, messages beyond the tenth.
    pub ignored: usize,
}

/// A text for the customer who wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What.
    pub text: String,
    /// Links to send along.
    pub media: Vec<String>,
    /// Who hears what becomes of it, where the message says so.
    pub status_url: Option<String>,
}

/// Reads an answer.
///
/// # Errors
/// A stable word: `no_xml`, `no_twiml`.
pub fn read(text: &str) -> Result<Answer, &'static str> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text.trim_start_matches('\u{feff}').trim(), options).map_err(|_| "no_xml")?;
    let root = document.root_element();
    if !root.has_tag_name("Response") {
        return Err("no_twiml");
    }
    let mut answer = Answer::default();
    for verb in root.children().filter(Node::is_element) {
        match message(&verb) {
            Some(message) if answer.messages.len() < MOST => answer.messages.push(message),
            _ => answer.ignored += 1,
        }
    }
    Ok(answer)
}

fn message(verb: &Node<'_, '_>) -> Option<Message> {
    if !verb.has_tag_name("Message") || verb.attribute("to").is_some() || verb.attribute("from").is_some() {
        return None;
    }
    let (mut message, mut text) = (Message::default(), String::new());
    for part in verb.children() {
        if part.is_text() || part.has_tag_name("Body") {
            text.push_str(part.text().unwrap_or_default());
        } else if part.has_tag_name("Media") {
            let url = part.text().unwrap_or_default().trim();
            message.media.extend(outside::is_address(url).then(|| url.to_owned()));
        }
    }
    text.trim().clone_into(&mut message.text);
    let url = verb.attribute("statusCallback").or_else(|| verb.attribute("action"));
    message.status_url = url.filter(|url| outside::is_address(url)).map(str::to_owned);
    (!message.text.is_empty() || !message.media.is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(xml: &str) -> Vec<String> {
        read(xml).unwrap().messages.into_iter().map(|message| message.text).collect()
    }

    #[test]
    fn messages_are_read_in_each_of_their_forms() {
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n <Message> Hello &amp; welcome &#128059; </Message>
            <Message statusCallback=\"https://a.example/s\"><Body>second</Body><Media>https://a.example/1</Media></Message>
            <Message><![CDATA[<third>]]></Message></Response>";
        let answer = read(xml).unwrap();
        assert_eq!(texts(xml), ["Hello & welcome 🐻", "second", "<third>"]);
        assert_eq!(answer.messages[1].media, ["https://a.example/1"]);
        assert_eq!(answer.messages[1].status_url.as_deref(), Some("https://a.example/s"));
        assert_eq!(read("<Response/>"), Ok(Answer::default()));
        assert_eq!(texts("\u{feff}<Response><Message>a</Message></Response>"), ["a"]);
    }

    #[test]
    fn what_is_not_done_is_counted() {
        let xml = "<Response><Redirect>/other</Redirect><Message to=\"+15550100199\">x</Message><Message/></Response>";
        assert_eq!(read(xml).unwrap(), Answer { messages: Vec::new(), ignored: 3 });
        let many = format!("<Response>{}</Response>", "<Message>x</Message>".repeat(12));
        assert_eq!(read(&many).map(|answer| (answer.messages.len(), answer.ignored)), Ok((10, 2)));
    }

    #[test]
    fn bombs_and_what_is_no_answer_are_refused() {
        let bomb =
            "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><Response><Message>&b;</Message></Response>";
        let file =
            "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Response><Message>&x;</Message></Response>";
        let wide = format!("<Response>{}</Response>", "<a/>".repeat(2_000));
        let deep = format!("<Response>{}{}</Response>", "<a>".repeat(9_000), "</a>".repeat(9_000));
        for xml in [
            bomb,
            file,
            &wide,
            &deep,
            "",
            "OK",
            "<Response>",
            "{\"a\": 1}",
            "<Response><Message>&b;</Message></Response>",
        ] {
            assert_eq!(read(xml), Err("no_xml"), "{}", &xml[..xml.len().min(80)]);
        }
        assert_eq!(read("<html><Message>x</Message></html>"), Err("no_twiml"));
    }

    proptest! {
        #[test]
        fn any_answer_is_read(text in "\\PC{0,200}|(<|/|>|Response|Message|Body|&|;|!|\\[|\\]|CDATA|\"|=| ){0,60}") {
            let _ = read(&text);
        }
    }
}
