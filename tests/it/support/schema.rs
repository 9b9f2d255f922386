//! `--json` documents against the schemas that are promised.

use serde_json::Value;

/// In what a document does not fit a schema, formats included.
pub(crate) fn complaints(schema: &str, document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Fails unless the document is one of this schema.
pub(crate) fn assert_fits(schema: &str, document: &Value) {
    assert_eq!(
        complaints(schema, document),
        Vec::<String>::new(),
        "{document:#}"
    );
}
