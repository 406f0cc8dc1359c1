use super::*;

fn examples() -> Map<String, Value> {
    serde_json::from_str(EXAMPLES).unwrap()
}

#[test]
fn every_fact_has_one_example_that_its_type_takes_and_knows_in_full() {
    let mut examples = examples();
    for fact in facts() {
        let body = examples.remove(fact.name).unwrap_or_else(|| panic!("{} has no example", fact.name));
        let mut through = (fact.through)(body.clone()).unwrap_or_else(|error| panic!("{}: {error}", fact.name));
        // what was left out comes back as null
        if let Value::Object(fields) = &mut through {
            fields.retain(|_, value| !value.is_null());
        }
        assert_eq!(through, body, "{}", fact.name);
    }
    assert!(examples.is_empty(), "no such facts: {examples:?}");
}

#[test]
fn every_example_holds_by_its_schema_and_no_longer_without_a_required_field() {
    let document = document(&[]);
    let examples = examples();
    for fact in facts() {
        let mut schema = document["components"]["messages"][fact.name]["payload"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        let body = &examples[fact.name];
        assert!(validator.is_valid(body), "{}: {:?}", fact.name, validator.iter_errors(body).next());
        let mut without = body.clone();
        without.as_object_mut().unwrap().remove("id");
        assert!(!validator.is_valid(&without), "{} needs no id", fact.name);
    }
}

#[test]
fn a_fact_is_described_once() {
    let mut names: Vec<_> = facts().map(|fact| fact.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}
