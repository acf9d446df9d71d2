//! The registry of Windows: what group policy writes.
//!
//! The key can be written by administrators alone, as the system sets it up. What is relative to the
//! environment (`REG_EXPAND_SZ`) does not count, because the person has a hand in that.

use super::flat::{self, Given};
use super::json::quoted;
use crate::config::document::{Reading, Report};
use crate::config::{Source, Store};

/// The key, for people.
const KEY: &str = r"HKLM\SOFTWARE\Policies\Chaperone";

/// A value of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Registered {
    /// `REG_SZ`
    Text(String),
    /// `REG_MULTI_SZ`
    Texts(Vec<String>),
    /// `REG_DWORD` or `REG_QWORD`
    Number(u64),
    /// Of another type, or broken.
    Other,
}

/// The settings that these values are.
pub(in crate::config) fn reading(
    values: impl IntoIterator<Item = (String, Registered)>,
    report: &mut Report,
) -> Option<Reading> {
    let source = Source::Managed(Store::Registry(KEY.into()));
    // A key has one value without a name, which nobody means.
    let named = values.into_iter().filter(|(name, _)| !name.is_empty());
    flat::reading(
        source,
        named.map(|(name, value)| (name, given(value))),
        report,
    )
}

fn given(value: Registered) -> Given {
    match value {
        Registered::Text(text) => Given::Text(text),
        Registered::Texts(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            Given::Toml(format!("[{}]", texts.join(", ")))
        }
        Registered::Number(number) => Given::Toml(number.to_string()),
        Registered::Other => Given::Unusable("this is not REG_SZ, REG_MULTI_SZ or REG_DWORD"),
    }
}

/// Reads the key of this machine.
#[cfg(windows)]
pub(super) fn of_machine(report: &mut Report) -> Option<Reading> {
    match values() {
        Ok(values) => reading(values, report),
        // ERROR_FILE_NOT_FOUND, as the library shows codes of Win32: there is no such key.
        Err(error) if error.code().0.to_be_bytes() == [0x80, 0x07, 0, 2] => None,
        Err(error) => {
            let source = Source::Managed(Store::Registry(KEY.into()));
            report.refuse(source, &format!("cannot be read: {error}"));
            None
        }
    }
}

#[cfg(windows)]
fn values() -> windows_registry::Result<Vec<(String, Registered)>> {
    let key = windows_registry::LOCAL_MACHINE.open(r"SOFTWARE\Policies\Chaperone")?;
    let values = key.values()?.map(|(name, value)| (name, registered(value)));
    Ok(values.collect())
}

#[cfg(windows)]
fn registered(value: windows_registry::Value) -> Registered {
    use windows_registry::Type;

    match value.ty() {
        Type::String => String::try_from(value).map_or(Registered::Other, Registered::Text),
        Type::U32 => u32::try_from(value).map_or(Registered::Other, |number| {
            Registered::Number(number.into())
        }),
        Type::U64 => u64::try_from(value).map_or(Registered::Other, Registered::Number),
        Type::MultiString => {
            Vec::try_from(value).map_or(Registered::Other, |mut texts: Vec<String>| {
                // The list ends with an empty text.
                texts.retain(|text| !text.is_empty());
                Registered::Texts(texts)
            })
        }
        _ => Registered::Other,
    }
}
