//! Holds the order of the modules: reads what each names, and compares it with what it may use.

#![expect(clippy::unwrap_used, reason = "a test fails by failing")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom, as `lib.rs` has them; each may use those below it. `report` stands high, so that
/// nothing which serves a host can come to depend on how a log is shown.
const ORDER: [&str; 14] = [
    "cli", "report", "doctor", "app", "front", "gateway", "sync", "catalog", "policy", "limits",
    "audit", "upstream", "login", "hosts",
];

/// Leaves that all may use, and that use leaves only.
const LEAVES: [&str; 17] = [
    "wire",
    "note",
    "bounds",
    "codes",
    "pages",
    "format",
    "name",
    "wording",
    "random",
    "principal",
    "clock",
    "acl",
    "lock",
    "paths",
    "stop",
    "telemetry",
    "config",
];

/// What stands above the order, or beside it: nothing may use these.
const OUTSIDE: [&str; 3] = ["lib", "main", "fuzzing"];

/// What crosses the order, and why: a proof comes from above.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    (
        "audit",
        "limits",
        "it counts in the transaction of the intent",
    ),
    ("audit", "policy", "it records permits and refusals"),
    (
        "upstream",
        "audit",
        "it sends nothing but what is on record",
    ),
];

/// Two sides that never meet: what a host said reaches a server through the gateway alone.
const STRANGERS: (&str, &str) = ("front", "upstream");

/// A library, the only place that may name it, and why.
const DOORS: [(&str, &[&str], &str); 16] = [
    ("rusqlite", &["src/audit"], "the record"),
    (
        "zip",
        &["src/audit/bundle/archive.rs"],
        "the container of evidence",
    ),
    (
        "parquet",
        &["src/audit/export"],
        "tables for large analysis",
    ),
    (
        "tokio_rustls",
        &[
            "src/upstream/tls.rs",
            "src/upstream/http.rs",
            "src/upstream/handover.rs",
            "src/config/roots.rs",
        ],
        "certificates of receivers and of our own",
    ),
    (
        "rustls_native_certs",
        &["src/config/roots.rs"],
        "the machine's authorities",
    ),
    ("keyring", &["src/login/keychain"], "the keychain"),
    ("directories", &["src/paths.rs"], "where things lie"),
    (
        "nix",
        &["src/paths.rs"],
        "the account, as the system knows it",
    ),
    (
        "plist",
        &["src/config/managed/preferences.rs"],
        "managed preferences",
    ),
    (
        "windows_registry",
        &["src/config/managed/registry.rs"],
        "group policy",
    ),
    ("open", &["src/login/browser.rs"], "the browser"),
    ("clap", &["src/cli"], "the command line"),
    (
        "similar",
        &["src/cli/setup/diff.rs"],
        "what setup is about to change",
    ),
    (
        "jsonc_parser",
        &["src/hosts/edit"],
        "hosts' files with comments",
    ),
    ("openidconnect", &["src/login"], "the provider"),
    (
        "rmcp",
        &["src/front", "src/gateway/own.rs"],
        "messages of our own",
    ),
];

/// Modules without waiting, clock, files, environment or logging.
const PURE: [&str; 13] = [
    "src/wire",
    "src/note",
    "src/name.rs",
    "src/principal.rs",
    "src/policy",
    "src/catalog",
    "src/limits.rs",
    "src/audit/redact",
    "src/audit/tree",
    "src/audit/export",
    "src/audit/checkpoint.rs",
    "src/hosts/edit",
    "src/hosts/table.rs",
];
const IMPURE: [&str; 7] = [
    "tokio::",
    "std::fs",
    "std::env",
    "std::net",
    "tracing::",
    "SystemTime",
    "async fn",
];
/// Where limits are of what is our own, or the administrator's.
const OWN_LIMITS: [&str; 5] = [
    "src/catalog/cache.rs",
    "src/upstream/era.rs",
    "src/front.rs",
    "src/gateway/own.rs",
    "src/name.rs",
];
/// The catalogue's place on disk.
const ON_DISK: &str = "src/catalog/cache.rs";

struct Source {
    path: String,
    text: String,
}

/// All sources as they are shipped: without tests, comments and documentation.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root.join("src")];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        let is_test =
            name.contains("/tests/") || name.ends_with("tests.rs") || name.ends_with("fake.rs");
        if path.extension().is_some_and(|end| end == "rs") && !is_test {
            let text = shipped(&fs::read_to_string(&path).unwrap());
            found.push(Source { path: name, text });
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn shipped(text: &str) -> String {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

fn module(path: &str) -> &str {
    let inside = path.trim_start_matches("src/");
    inside.split(['/', '.']).next().unwrap_or_default()
}

/// The modules of the crate that a text names: `crate::x`, and the members of `crate::{..}`.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        match part.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                names.extend(list.split(',').map(|name| word(name.trim())));
            }
            None => drop(names.insert(word(part))),
        }
    }
    names.remove("");
    names
}

fn may_use(from: &str, to: &str) -> bool {
    let excepted = EXCEPTIONS
        .iter()
        .any(|(above, below, _)| (*above, *below) == (from, to));
    if from == to || excepted || LEAVES.contains(&to) {
        return true;
    }
    if (from, to) == STRANGERS {
        return false;
    }
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    match (place(from), place(to)) {
        (Some(from), Some(to)) => from < to,
        _ => false,
    }
}

#[test]
fn the_order_is_one() {
    assert!(may_use("front", "gateway") && may_use("login", "config"));
    for (from, to) in [
        ("gateway", "front"),
        ("login", "gateway"),
        ("name", "login"),
        ("front", "upstream"),
        ("x", "y"),
    ] {
        assert!(!may_use(from, to), "{from} {to}");
    }
    let to = named("use crate::{a, b::c};\nuse crate::d::E; let x = crate::f::g();");
    assert_eq!(to.into_iter().collect::<String>(), "abdf");
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for source in sources() {
        let from = module(&source.path);
        if OUTSIDE.contains(&from) {
            continue;
        }
        for to in named(&source.text) {
            if !may_use(from, &to) {
                wrong.push(format!("{} uses {to}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_library_has_its_door() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (library, places, _) in DOORS {
            let names = [
                format!("use {library}::"),
                format!(" {library}::"),
                format!("({library}::"),
            ];
            let is_named = names.iter().any(|name| source.text.contains(name.as_str()));
            if is_named && !places.iter().any(|place| source.path.starts_with(place)) {
                wrong.push(format!("{} names {library}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_wait_for_nothing_and_touch_nothing() {
    let mut wrong = Vec::new();
    for source in sources() {
        let is_pure = PURE.iter().any(|place| source.path.starts_with(place));
        if !is_pure || source.path == ON_DISK {
            continue;
        }
        for word in IMPURE.into_iter().filter(|word| source.text.contains(word)) {
            wrong.push(format!("{} has {word}", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_bounds_peers_stands_in_one_place() {
    let faces = [
        "wire", "front", "gateway", "sync", "catalog", "upstream", "name",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        let is_own = OWN_LIMITS.contains(&source.path.as_str());
        if !faces.contains(&module(&source.path)) || is_own {
            continue;
        }
        for line in source.text.lines().map(str::trim_start) {
            let name = line
                .trim_start_matches("pub(super) ")
                .strip_prefix("const ");
            let name = name
                .and_then(|rest| rest.split(':').next())
                .unwrap_or_default();
            if name.ends_with("LIMIT") {
                wrong.push(format!("{} has {name}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_readable() {
    let long = sources()
        .into_iter()
        .filter(|source| source.text.lines().count() > 400);
    let long: Vec<String> = long.map(|source| source.path).collect();
    assert!(long.is_empty(), "more than 400 lines: {}", long.join(", "));
    let folded = sources()
        .into_iter()
        .filter(|source| source.path.ends_with("/mod.rs"));
    assert_eq!(folded.count(), 0, "modules are x.rs beside x/");
}
