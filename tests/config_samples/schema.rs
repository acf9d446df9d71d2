//! The schema for editors has the keys that the program reads, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The names of all settings that a schema of tables has.
fn collect(schema: &Value, above: &str, names: &mut BTreeSet<String>) {
    if let Some(items) = schema.get("items").filter(|_| !above.is_empty()) {
        let kinds = items.get("oneOf").and_then(Value::as_array);
        let kinds = kinds.map_or(vec![items], |kinds| kinds.iter().collect());
        if kinds.iter().all(|kind| kind.get("properties").is_some()) {
            let above = format!("{above}[]");
            return kinds.iter().for_each(|kind| collect(kind, &above, names));
        }
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        names.insert(above.to_owned());
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{above}");
    for (name, property) in properties {
        let dot = if above.is_empty() { "" } else { "." };
        let key = format!("{above}{dot}{name}");
        let is_named = ["name", "kind"].contains(&name.as_str());
        let described = property["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        assert!(described || is_named, "{key} is not described");
        collect(property, &key, names);
    }
}

#[test]
fn the_schema_has_every_key_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/chaperone.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut names = BTreeSet::new();
    collect(&schema, "", &mut names);
    // The file's own, which sets nothing.
    let format = ["version".to_owned()];
    let keys: BTreeSet<String> = chaperone::config::keys()
        .into_iter()
        .chain(format)
        .collect();
    assert_eq!(names, keys);
}
