//! What leaves the machine: exports that other programs read, and evidence that needs no machine.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::company::Company;
use crate::world::{World, finish};

/// Calls of two people: some succeed, one is refused, one carries a secret.
async fn busy() -> Company {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    for sql in ["select 1", "select 2"] {
        let arguments = json!({ "sql": sql, "password": "correct horse" });
        host.call("database__query_database", arguments).await;
    }
    host.call("database__list_tables", json!({})).await;
    host.request(
        "tools/call",
        json!({ "name": "database__drop_table", "arguments": { "table": "=cmd" } }),
    )
    .await;
    assert!(host.close().await.success());
    company
}

async fn text(world: &World, arguments: &[&str]) -> String {
    let output = world.run(arguments).await;
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a line of shell over a file.
async fn piped(world: &World, line: &str, file: &str) -> String {
    let mut command = world.command("sh");
    command.args(["-c", &format!("set -e; {line}"), "sh", file]);
    let output = finish(&mut command).await;
    assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What `datamash -g 1 mean 2 median 2 max 2` does to a table of two columns: it asks for numbers.
const GROUPED: &str = "
import statistics, sys
groups = {}
for line in sys.stdin:
    name, number = line.rstrip('\\n').split('\\t')
    groups.setdefault(name, []).append(float(number))
for name, numbers in groups.items():
    print(name, len(numbers), statistics.mean(numbers) <= max(numbers))
";

#[tokio::test]
async fn the_published_lines_of_jq_work_unchanged() {
    let company = busy().await;
    let world = &company.world;
    let file = world.home().join("calls.jsonl");
    let file = file.to_str().expect("UTF-8");
    let done = ["audit", "export", "--format", "tutorial", "-o", file];
    assert_eq!(text(world, &done).await, format!("{file}: 4 lines\n"));
    let refused = piped(
        world,
        r#"jq 'select(.outcome == "denied" and (.timestamp | fromdateiso8601) > (now - 86400))' "$1""#,
        file,
    )
    .await;
    let refused: Value = serde_json::from_str(&refused).expect("one refusal");
    assert_eq!(refused["toolName"], "drop_table");
    assert_eq!(refused["toolArgs"]["table"], "=cmd");
    let people = piped(
        world,
        r#"jq -r '.userId' "$1" | sort | uniq -c | sort -rn"#,
        file,
    )
    .await;
    assert_eq!(people.trim(), "4 alice@example.test");
    fs::write(world.home().join("bin/grouped.py"), GROUPED).expect("a script");
    let times = piped(
        world,
        r#"jq -r '[.toolName, .durationMs] | @tsv' "$1" | python3 "$HOME/bin/grouped.py""#,
        file,
    )
    .await;
    assert_eq!(
        times,
        "query_database 2 True\nlist_tables 1 True\ndrop_table 1 True\n"
    );
    let events = text(
        world,
        &["audit", "export", "--format", "ocsf", "--outcome", "denied"],
    )
    .await;
    let event: Value = serde_json::from_str(&events).expect("one event");
    assert_eq!(event["class_uid"], 6003);
    assert_eq!(event["action"], "Denied");
    let table = text(world, &["audit", "export", "--format", "csv"]).await;
    assert_eq!(
        table.matches("\r\n").count(),
        1 + company.record().await.len()
    );
}

#[tokio::test]
async fn a_secret_is_found_where_it_was_used_and_stands_nowhere() {
    let company = busy().await;
    let world = &company.world;
    assert!(
        !text(world, &["audit", "export"])
            .await
            .contains("correct horse")
    );
    let mut command = world.chaperone(&["audit", "match", "-", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("a piped stdin");
    input.write_all(b"correct horse\n").await.expect("a reader");
    drop(input);
    let output = child.wait_with_output().await.expect("an end");
    let found = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(found.matches("\"query_database\"").count(), 2, "{found}");
    let nothing = world.run(&["audit", "match", "correct"]).await;
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
}

#[tokio::test]
async fn evidence_is_verified_on_another_machine() {
    let company = busy().await;
    let world = &company.world;
    let report = text(world, &["audit", "verify", "--json"]).await;
    let report: Value = serde_json::from_str(&report).expect("a report");
    let bundle = world.home().join("evidence.zip");
    let bundle = bundle.to_str().expect("UTF-8");
    let select = ["--select", "outcome=denied"];
    text(
        world,
        &[&["audit", "export", "--bundle", bundle], &select[..]].concat(),
    )
    .await;
    let head = kept(world, &report);
    let verify = ["audit", "verify", bundle, "--json", "--head", &head];
    let whole = text(world, &verify).await;
    let whole: Value = serde_json::from_str(&whole).expect("a report");
    let signer = text(world, &["audit", "key"]).await;
    let signer = signer.trim_end();
    assert_eq!(whole["signer"], signer);
    // No keychain, no log, no configuration.
    let elsewhere = World::new();
    let verdict = text(&elsewhere, &["audit", "verify", bundle, "--key", signer]).await;
    assert!(
        verdict.starts_with("intact: 1 record, up to record "),
        "{verdict}"
    );
    assert_eq!(
        fs::read_dir(elsewhere.data_dir()).map_or(0, Iterator::count),
        0
    );
    let unpinned = elsewhere.run(&["audit", "verify", bundle]).await;
    assert_eq!(unpinned.status.code(), Some(7), "{unpinned:?}");
    // Other programs read it, and what they change is refused.
    let script = r#"
import sys, zipfile
source = zipfile.ZipFile(sys.argv[1])
assert source.testzip() is None
with zipfile.ZipFile(sys.argv[2], "w") as target:
    for name in source.namelist():
        content = source.read(name)
        if name == "records.jsonl":
            assert b"drop_table" in content
            content = content.replace(b"drop_table", b"list_table")
        target.writestr(name, content)
"#;
    let changed = world.home().join("changed.zip");
    let changed = changed.to_str().expect("UTF-8");
    let mut python = world.command("python3");
    let output = finish(python.args(["-c", script, bundle, changed])).await;
    assert!(output.status.success(), "{output:?}");
    let refused = elsewhere
        .run(&["audit", "verify", changed, "--key", signer])
        .await;
    assert_eq!(refused.status.code(), Some(6), "{refused:?}");
}

/// The head that a whole verification found, in a file.
fn kept(world: &World, report: &Value) -> String {
    let file = world.home().join("head");
    fs::write(&file, report["note"].as_str().expect("a head")).expect("a file");
    file.to_str().expect("UTF-8").to_owned()
}
