//! The template of group policy has every setting, and all that it refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element with its attributes, in the order of the document.
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let value = quick_xml::escape::unescape(&attribute.value).unwrap();
            (attribute.key.as_ref().to_owned(), value.into_owned())
        });
        Self {
            name: start.name().as_ref().to_owned(),
            attributes: attributes.collect(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Reads a well-formed document.
fn elements(name: &str) -> Vec<Element> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("installers/managed")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = true;
    let (mut found, mut depth) = (Vec::new(), 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                depth += 1;
                found.push(Element::of(&start));
            }
            Event::Empty(start) => found.push(Element::of(&start)),
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
    assert_eq!(depth, 0, "{name} ends in the middle");
    found
}

/// All values of an attribute of elements of one name, none of them twice.
fn all<'e>(elements: &'e [Element], name: &str, attribute: &str) -> BTreeSet<&'e str> {
    let named = elements.iter().filter(|element| element.name == name);
    let values: Vec<&str> = named.filter_map(|element| element.get(attribute)).collect();
    let distinct: BTreeSet<&str> = values.iter().copied().collect();
    assert_eq!(
        values.len(),
        distinct.len(),
        "{name} {attribute}: {values:?}"
    );
    distinct
}

/// What the attributes of all elements refer to: `$(string.X)` gives X for `string`.
fn references<'e>(elements: &'e [Element], kind: &str) -> BTreeSet<&'e str> {
    let values = elements
        .iter()
        .flat_map(|element| element.attributes.values());
    let begins = format!("$({kind}.");
    let inside = |value: &'e String| value.strip_prefix(&begins)?.strip_suffix(')');
    values.filter_map(inside).collect()
}

#[test]
fn group_policy_has_every_setting_once() {
    let template = elements("chaperone.admx");
    let keys = chaperone::config::keys();
    let keys: BTreeSet<&str> = keys
        .iter()
        .filter_map(|key| key.split("[]").next())
        .collect();
    let named = template
        .iter()
        .filter_map(|element| element.get("valueName"));
    let named: Vec<&str> = named.collect();
    assert_eq!(named.len(), keys.len());
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), keys);
    let policies = template.iter().filter(|element| element.name == "policy");
    for policy in policies {
        assert_eq!(policy.get("key"), Some(r"SOFTWARE\Policies\Chaperone"));
        assert_eq!(policy.get("class"), Some("Machine"));
    }
}

#[test]
fn group_policy_refers_to_nothing_that_is_not_there_and_nothing_is_there_in_vain() {
    let (template, words) = (elements("chaperone.admx"), elements("en-US/chaperone.adml"));
    for kind in ["string", "presentation"] {
        assert_eq!(
            references(&template, kind),
            all(&words, kind, "id"),
            "{kind}"
        );
    }
    let categories = all(&template, "category", "name");
    let parents = template
        .iter()
        .filter(|element| element.name == "parentCategory");
    for parent in parents {
        assert!(categories.contains(parent.get("ref").unwrap()));
    }
    let defined = all(&template, "definition", "name");
    let supported = template
        .iter()
        .filter(|element| element.name == "supportedOn");
    for supported in supported.filter_map(|element| element.get("ref")) {
        assert!(defined.contains(supported));
    }
    // Each box shows an element of its policy.
    let shown = words.iter().filter_map(|element| element.get("refId"));
    let ids = ["text", "multiText", "decimal", "enum"].into_iter();
    let ids: BTreeSet<&str> = ids.flat_map(|name| all(&template, name, "id")).collect();
    assert_eq!(shown.collect::<BTreeSet<_>>(), ids);
}
