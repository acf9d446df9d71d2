//! What an administrator has left open in a template counts as absent.

use toml::de::{DeTable, DeValue};

/// How a text begins that is to be replaced.
const MARK: &str = "REPLACE_WITH_";

/// Takes out of a table what still is a placeholder, and returns the names. Of several tables in an
/// array those are taken out that hold one; any other array with one is as good as none.
pub(super) fn take_out(table: &mut DeTable<'_>) -> Vec<Box<str>> {
    let mut names = Vec::new();
    take_out_of(table, "", &mut names);
    names
}

/// Whether a table holds nothing but such tables.
pub(super) fn is_bare(table: &DeTable<'_>) -> bool {
    let mut values = table.values();
    values.all(|value| value.get_ref().as_table().is_some_and(is_bare))
}

fn take_out_of(table: &mut DeTable<'_>, above: &str, names: &mut Vec<Box<str>>) {
    let keys = table.keys().map(|key| key.get_ref().to_string());
    for key in keys.collect::<Vec<_>>() {
        let dot = if above.is_empty() { "" } else { "." };
        let name = format!("{above}{dot}{key}");
        if let Some(value) = table.get_mut(key.as_str())
            && !stays(value.get_mut(), &name, names)
        {
            table.remove(key.as_str());
        }
    }
}

/// Whether anything is left of a value.
fn stays(value: &mut DeValue<'_>, name: &str, names: &mut Vec<Box<str>>) -> bool {
    if !holds(value) {
        return true;
    }
    if let DeValue::Table(table) = value {
        take_out_of(table, name, names);
        return !is_bare(table);
    }
    names.push(name.into());
    let DeValue::Array(array) = value else {
        return false;
    };
    let kept = array.iter().filter(|element| !holds(element.get_ref()));
    *array = kept.cloned().collect();
    !array.is_empty() && array.iter().all(|element| element.get_ref().is_table())
}

fn holds(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(text) => text.trim_start().starts_with(MARK),
        DeValue::Array(array) => array.iter().any(|element| holds(element.get_ref())),
        DeValue::Table(table) => table.values().any(|value| holds(value.get_ref())),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_taken_out_and_nothing_else() {
        let text = "\
            data_dir = \"REPLACE_WITH_DIRECTORY\"\n\
            [identity]\n\
            issuer = \"REPLACE_WITH_ISSUER\"\n\
            client_id = \"desktop\"\n\
            scopes = [\"openid\", \"REPLACE_WITH_SCOPE\"]\n\
            [policy]\n\
            file = \" REPLACE_WITH_FILE\"\n\
            [[server]]\n\
            name = \"db\"\n\
            url = \"REPLACE_WITH_URL\"\n\
            [[server]]\n\
            name = \"REPLACE-WITH-NAME\"\n";
        let mut table = DeTable::parse(text).unwrap().into_inner();
        let names = take_out(&mut table);
        let expected = [
            "data_dir",
            "identity.issuer",
            "identity.scopes",
            "policy.file",
            "server",
        ];
        assert_eq!(names, expected.map(Into::into));
        let keys: Vec<_> = table.keys().map(|key| key.get_ref().to_string()).collect();
        assert_eq!(keys, ["identity", "server"]);
        let server = table.get("server").unwrap().get_ref().as_array().unwrap();
        assert_eq!(server.len(), 1);
        assert!(take_out(&mut table).is_empty());
    }
}
