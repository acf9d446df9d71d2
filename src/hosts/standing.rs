//! How chaperone stands in a host's file.

use serde_json::{Map, Value};

use super::NAME;
use super::edit::Entry;
use super::program::is_chaperone;

/// How chaperone stands in a host's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is in it, as setup would write it.
    Present,
    /// It is in it, and turned off there.
    Off,
    /// It is in it in another way: what the host starts.
    Differs(Box<str>),
    /// It is not.
    Absent,
    /// Another program has its name.
    Taken,
}

/// The name under which chaperone is in a file, or is to be; `None` if another program has it.
#[must_use]
pub fn own_name(servers: &Map<String, Value>) -> Option<&str> {
    let is_ours = |entry: &Value| command(entry).is_some_and(is_chaperone);
    match servers.get(NAME) {
        // An entry without an address and without a program is one that was begun.
        Some(entry) if is_ours(entry) || entry.as_object().is_some_and(Map::is_empty) => Some(NAME),
        Some(_) => None,
        None => {
            let other = servers.iter().find(|(_, entry)| is_ours(entry));
            Some(other.map_or(NAME, |(name, _)| name.as_str()))
        }
    }
}

/// How chaperone stands among the servers of a file, if `entry` is what setup would write.
#[must_use]
pub fn standing(servers: &Map<String, Value>, entry: &Entry) -> Standing {
    let Some(name) = own_name(servers) else {
        return Standing::Taken;
    };
    match servers.get(name) {
        None => Standing::Absent,
        Some(server) if server.get("disabled") == Some(&Value::Bool(true)) => Standing::Off,
        Some(server) if entry.is_met_by(server) => Standing::Present,
        Some(server) => Standing::Differs(command(server).unwrap_or_default().into()),
    }
}

fn command(entry: &Value) -> Option<&str> {
    entry.get("command").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hosts::Host;

    #[test]
    fn an_entry_is_known_by_its_program() {
        let entry = Host::Cursor.entry("/bin/chaperone", &[]);
        let found = |servers: Value| standing(servers.as_object().unwrap(), &entry);
        let ours = json!({"command": "/bin/chaperone"});
        let other = json!({"command": "npx", "args": ["x"]});
        assert_eq!(found(json!({"chaperone": ours})), Standing::Present);
        assert_eq!(found(json!({"mine": ours, "x": other})), Standing::Present);
        assert_eq!(found(json!({"x": other})), Standing::Absent);
        assert_eq!(found(json!({"chaperone": other})), Standing::Taken);
        let off = json!({"command": "/bin/chaperone", "disabled": true});
        assert_eq!(found(json!({"chaperone": off})), Standing::Off);
        let moved = json!({"chaperone": {"command": "/old/chaperone"}});
        let differs = Standing::Differs("/old/chaperone".into());
        assert_eq!(found(moved), differs);
    }
}
