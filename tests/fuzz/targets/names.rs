//! Exposed names fit every host, stand for one tool each, and lead back to it.

#![no_main]

use chaperone::name::{ExposedName, ServerName, ToolName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    // What the configuration allows.
    let limit = 40 + lines.next().map_or(0, str::len) % 25;
    let words: Vec<&str> = lines.collect();
    let named = words.chunks_exact(2).filter_map(|pair| {
        Some((
            ServerName::parse(pair[0]).ok()?,
            ToolName::parse(pair[1]).ok()?,
        ))
    });
    let named: Vec<(ServerName, ToolName)> = named.take(8).collect();
    let servers: Vec<ServerName> = named.iter().map(|(server, _)| server.clone()).collect();
    let exposed: Vec<ExposedName> = named
        .iter()
        .map(|(server, tool)| ExposedName::join(server, tool, limit))
        .collect();
    for (name, (server, tool)) in exposed.iter().zip(&named) {
        fits(name.as_str(), limit);
        leads_back(name, server, tool, &servers);
        assert_eq!(&ExposedName::join(server, tool, limit), name);
        for (other, of) in exposed.iter().zip(&named) {
            assert_eq!(name == other, (server, tool) == (&of.0, &of.1), "{name}");
        }
    }
    for word in words {
        comes_from(word, &servers);
    }
});

fn fits(name: &str, limit: usize) {
    assert!(!name.is_empty() && name.len() <= limit, "{name}");
    let portable = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    assert!(name.chars().all(portable), "{name}");
    assert!(!name.starts_with(ExposedName::own("").as_str()), "{name}");
}

/// A name that was not rewritten is taken apart into what it was joined from; one that was, never.
fn leads_back(name: &ExposedName, server: &ServerName, tool: &ToolName, servers: &[ServerName]) {
    assert!(ExposedName::could_be_of(name.as_str(), server), "{name}");
    let plain = format!("{server}__{tool}");
    let parts = ExposedName::parts(name.as_str(), servers);
    let expected = (plain == name.as_str()).then(|| (server.clone(), tool.clone()));
    assert_eq!(parts, expected, "{name}");
}

/// Whatever a host sends and is taken apart says the same when it is put together again.
fn comes_from(word: &str, servers: &[ServerName]) {
    if let Some((server, tool)) = ExposedName::parts(word, servers) {
        assert!(servers.contains(&server));
        assert_eq!(format!("{server}__{tool}"), word);
    }
}
