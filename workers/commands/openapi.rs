//! `texthub openapi`: the gateway's API as an OpenAPI document.

/// The document, as it is written to docs/openapi.json.
pub fn text() -> anyhow::Result<String> {
    Ok(crate::gateway::api::document().to_pretty_json()? + "\n")
}

/// Prints it.
pub fn run() -> anyhow::Result<()> {
    print!("{}", text()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_of_the_api_in_docs_is_the_one_that_the_code_makes() {
        let committed = include_str!("../../docs/openapi.json");
        assert!(committed == super::text().unwrap(), "run `texthub openapi >docs/openapi.json`");
    }
}
