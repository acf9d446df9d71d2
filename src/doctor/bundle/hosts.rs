//! How chaperone stands in each host's file, and how many others do; nothing of what the others are.

use serde_json::{Value, json};

use crate::doctor::Hosts;
use crate::hosts::{Host, HostFile, Location, Scope, edit, locations, own_name, standing};

pub(super) fn of(hosts: &Hosts) -> Value {
    let files = Host::ALL.into_iter().flat_map(|host| {
        let places = locations(host, Scope::User, &hosts.around).into_iter();
        let places = places.filter(|location| location.is_installed);
        places.map(move |location| file(hosts, host, &location))
    });
    files.collect()
}

fn file(hosts: &Hosts, host: Host, location: &Location) -> Value {
    let known = json!({"host": host.id(), "file": location.file.display().to_string()});
    let with = |more: Value| {
        let both = [known.clone(), more];
        let members = both.iter().filter_map(Value::as_object).flatten();
        members
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Value>()
    };
    let Ok(file) = HostFile::read(location) else {
        return with(json!({"state": "unreadable"}));
    };
    let Ok(servers) = edit::servers(file.content(), host.dialect()) else {
        return with(json!({"state": "malformed", "bytes": file.content().len()}));
    };
    let state = standing(&servers, &host.entry(&hosts.command, &hosts.args));
    let own = own_name(&servers).and_then(|name| servers.get(name));
    // Of our own entry too only what setup writes: whoever added an environment may keep secrets there.
    let own = own.map(|own| json!({"command": own.get("command"), "args": own.get("args")}));
    let others = servers.len() - usize::from(own.is_some());
    with(json!({"state": format!("{state:?}"), "entry": own, "others": others}))
}
