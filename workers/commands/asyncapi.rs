//! `texthub asyncapi`: the public contract as an `AsyncAPI` 3.0 document.

use texthub::amqp::topology::Listener;
use texthub::contract;

/// The document, as it is written to docs/asyncapi.json.
pub fn text(listeners: &[Listener]) -> String {
    format!("{:#}\n", contract::document(listeners))
}

/// Prints it.
pub fn run() {
    print!("{}", text(&crate::listeners()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_fact_said_to_the_hub_is_heard_by_a_worker() {
        let listeners = crate::listeners();
        for fact in texthub::facts::heard::SAID_TO_THE_HUB {
            assert!(!texthub::contract::heard_by(fact, &listeners).is_empty(), "{fact} would reach nobody");
        }
    }

    #[test]
    fn the_document_in_docs_is_the_one_that_the_code_makes() {
        let committed = include_str!("../../docs/asyncapi.json");
        assert!(committed == super::text(&crate::listeners()), "run `texthub asyncapi >docs/asyncapi.json`");
    }
}
