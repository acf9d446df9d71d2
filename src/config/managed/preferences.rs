//! Managed preferences of macOS: what configuration profiles bring, as property lists, binary or XML.

use std::io::Cursor;
use std::path::PathBuf;

use plist::{Dictionary, Value};

use super::flat::{self, Given};
use super::json::quoted;
use crate::config::document::{Reading, Report};
use crate::config::file::{FileError, Owners, Trust};
use crate::config::{Source, Store};

/// Members of a profile's payload that are not settings begin so (`PayloadUUID`, ...).
const PAYLOAD: &str = "Payload";

/// Reads the lists at these places, of which the first counts first.
pub(in crate::config) fn readings(
    places: Vec<PathBuf>,
    owners: Owners,
    report: &mut Report,
) -> Vec<Reading> {
    let read = |path: PathBuf| {
        let bytes = owners.read_bytes(&path, Trust::Administrator);
        reading(Source::Managed(Store::Preferences(path)), bytes, report)
    };
    places.into_iter().filter_map(read).collect()
}

fn reading(
    source: Source,
    bytes: Result<Vec<u8>, FileError>,
    report: &mut Report,
) -> Option<Reading> {
    let problem = match bytes {
        Ok(bytes) => match Value::from_reader(Cursor::new(bytes)) {
            Ok(Value::Dictionary(values)) => {
                return flat::reading(source, settings(values), report);
            }
            Ok(_) => "is a property list, but no dictionary".to_owned(),
            Err(error) => format!("is no property list: {error}"),
        },
        Err(error) if error.is_absence() => return None,
        Err(error) => error.to_string(),
    };
    report.refuse(source, &problem);
    None
}

fn settings(values: Dictionary) -> impl Iterator<Item = (String, Given)> {
    let settings = values
        .into_iter()
        .filter(|(name, _)| !name.starts_with(PAYLOAD));
    settings.map(|(name, value)| (name, given(value)))
}

fn given(value: Value) -> Given {
    if let Value::String(text) = value {
        return Given::Text(text);
    }
    match toml(&value) {
        Some(toml) => Given::Toml(toml),
        None => Given::Unusable(
            "this is of a type that no setting has; use a string, a number, a boolean, an array or a \
             dictionary",
        ),
    }
}

/// The value in TOML; `None` for what has no form there.
fn toml(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => quoted(text),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => format!("{real:?}"),
        Value::Array(array) => {
            let elements: Option<Vec<String>> = array.iter().map(toml).collect();
            format!("[{}]", elements?.join(", "))
        }
        Value::Dictionary(members) => {
            let member = |(name, value): (&String, &Value)| {
                Some(format!("{} = {}", quoted(name), toml(value)?))
            };
            let members: Option<Vec<String>> = members.iter().map(member).collect();
            format!("{{ {} }}", members?.join(", "))
        }
        Value::Data(_) | Value::Date(_) | Value::Uid(_) | _ => return None,
    })
}
