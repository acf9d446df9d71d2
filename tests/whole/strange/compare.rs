//! What may differ between the two ways, and that nothing else does.

use super::server::Era;
use super::text::{member, members};
use super::ways::Came;

/// Members that a result has in the one revision and not in the other.
const OF_RESULTS: [&str; 4] = ["resultType", "ttlMs", "cacheScope", "_meta"];
/// What the two ends of one connection say in a request's `_meta`.
const TERMS: &str = "\"io.modelcontextprotocol/";

/// Checks that one text is the other; members that the revisions differ in are left aside.
fn assert_same(direct: &str, through: &str, aside: &[&str]) {
    // A line holds no line break.
    let direct = direct.replace(['\n', '\r'], " ");
    if direct == through {
        return;
    }
    let kept = |text: &str| {
        let aside: Vec<_> = aside.iter().map(|key| format!("\"{key}\"")).collect();
        let mut members = members(text)?;
        members.retain(|(key, _)| !aside.contains(key));
        Some(members)
    };
    let same = !aside.is_empty() && kept(&direct).is_some() && kept(&direct) == kept(through);
    assert!(same, "\ndirect:  {direct}\nthrough: {through}");
}

/// The members of a result that differ between two revisions.
fn aside(server: Era, host: Era, direct: &str) -> Vec<&'static str> {
    let mut aside = OF_RESULTS.to_vec();
    match (server, host) {
        (Era::Sessions, Era::Sessions) => aside.clear(),
        (Era::Alone, Era::Sessions) => aside.retain(|key| *key != "_meta"),
        // What is missing is added, and nobody but this person may keep it.
        (_, Era::Alone) => {
            aside.retain(|key| *key == "cacheScope" || member(direct, key).is_none());
        }
    }
    aside
}

/// The code of an error as the host's revision has it.
fn code(method: &str, server: Era, host: Era, direct: &str) -> Option<String> {
    let said = member(direct, "code");
    match (said.as_deref(), server, host) {
        (Some("-32002"), _, Era::Alone) => Some("-32602".into()),
        (Some("-32602"), Era::Alone, Era::Sessions) if method == "resources/read" => {
            Some("-32002".into())
        }
        _ => said,
    }
}

/// Checks that both ways brought the same.
pub fn assert_outcome(
    method: &str,
    server: Era,
    host: Era,
    direct: &Came,
    through: &(&str, String),
) {
    assert_eq!(direct.outcome.0, through.0, "{direct:?} {through:?}");
    let (said, came) = (&direct.outcome.1, &through.1);
    if through.0 == "result" {
        return assert_same(said, came, &aside(server, host, said));
    }
    assert_eq!(member(came, "code"), code(method, server, host, said));
    let aside: &[&str] = if member(came, "code") == member(said, "code") {
        &[]
    } else {
        &["code"]
    };
    assert_same(said, came, aside);
}

/// Checks that the server saw the same request on both ways.
pub fn assert_seen(server: Era, direct: &str, through: &str) {
    if server == Era::Sessions {
        return assert_eq!(direct, through);
    }
    let rest = |text: &str| {
        let mut meta = member(text, "_meta")
            .and_then(|meta| members(&meta))
            .unwrap_or_default();
        meta.retain(|(key, _)| !key.starts_with(TERMS));
        let mut others = members(text).expect("an object");
        others.retain(|(key, _)| key != "\"_meta\"");
        (others, meta)
    };
    assert_eq!(rest(direct), rest(through));
}
