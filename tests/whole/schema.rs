//! The schema for editors says what the program says: another's validator reads it, and both judge the
//! same documents.

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{World, finish, repository};

/// What any document needs to be one.
const LEAST: &str = "[identity]\nissuer = \"https://sso.example.com\"\nclient_id = \"desktop\"\n";

/// Lines that both accept after the least.
const GOOD: [&str; 6] = [
    "redirect_port = 4711",
    "[identity.scope_names]\n\"mcp:admin\" = \"\"",
    "[audit]\nspool_limit = \"64KiB\"\nretention = \"3650d\"",
    "[audit]\nspool_limit = 65536",
    "[[server]]\nname = \"a-1\"\nurl = \"http://127.0.0.1:8080/mcp\"",
    "[[audit.sink]]\nname = \"a\"\nkind = \"syslog\"\naddress = \"[::1]:6514\"\nreceipt = \"eof\"",
];

/// Lines that both refuse.
const BAD: [&str; 22] = [
    "colour = 1",
    "redirect_port = \"4711\"",
    "redirect_port = 65536",
    "redirect_host = \"example.com\"",
    "scopes = \"openid\"",
    "scopes = [1]",
    "scopes = [\"\"]",
    "audience_by = \"resources\"",
    "allow_unadvertised_pkce = 1",
    "scope_names = {\"mcp:other\" = \"x\"}",
    "[policy]\nfile = \"\"",
    "[audit]\ndurability = \"none\"",
    "[audit]\nretention = \"90\"",
    "[audit]\nspool_limit = \"1GB\"",
    "[tools]\nlist_budget = \"5\"",
    "[tools]\nname_limit = 65",
    "[network]\nproxy = \"ftp://proxy\"",
    "[[server]]\nname = \"a__b\"\nurl = \"https://gateway.example.com\"",
    "[[server]]\nname = \"a\"\nurl = \"http://gateway.example.com\"",
    "[[server]]\nname = \"a\"",
    "[[audit.sink]]\nname = \"a\"\nkind = \"directory\"\npath = \"x\"\nurl = \"https://x\"",
    "[[audit.witness]]\nname = \"a\"\nurl = \"https://x\"",
];

fn put(world: &World, name: String, text: &str) -> PathBuf {
    let path = world.home().join(name);
    fs::write(&path, text).expect("a file in the home");
    path
}

async fn judged(world: &World, documents: &[PathBuf]) -> Vec<String> {
    let mut command = world.python("tests/world/schema.py");
    command.arg(repository("config/chaperone.schema.json"));
    let output = finish(command.args(documents)).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// The exit code of the program for a document, and what it says.
async fn read(world: &World, document: &Path) -> (Option<i32>, String) {
    let document = document.to_str().expect("UTF-8");
    let output = world.run(&["--config", document, "config", "show"]).await;
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), told)
}

#[tokio::test]
async fn the_schema_and_the_program_judge_alike() {
    let world = World::new();
    let document = |at: usize, kind: &str, lines: &str| {
        put(
            &world,
            format!("{kind}-{at}.toml"),
            &format!("{LEAST}{lines}\n"),
        )
    };
    for (kind, lines, code) in [("good", &GOOD[..], 0), ("bad", &BAD[..], 2)] {
        let lines = lines.iter().enumerate();
        let documents: Vec<PathBuf> = lines.map(|(at, lines)| document(at, kind, lines)).collect();
        let verdicts = judged(&world, &documents).await;
        assert_eq!(verdicts.len(), documents.len());
        for (document, verdict) in documents.iter().zip(verdicts) {
            let text = fs::read_to_string(document).expect("a document");
            assert_eq!(verdict == "ok", code == 0, "{text}{verdict}");
            let (found, told) = read(&world, document).await;
            assert_eq!(found, Some(code), "{text}{told}");
        }
    }
}

#[tokio::test]
async fn what_is_shipped_is_good_by_the_schema() {
    let world = World::new();
    let managed = fs::read_to_string(repository("installers/managed/managed.toml"));
    let mut managed = managed.expect("the sample for administrators");
    for place in ["ISSUER", "COLLECTOR", "WITNESS", "SERVER"] {
        let open = format!("\"REPLACE_WITH_{place}\"");
        managed = managed.replace(&open, "\"https://example.com\"");
    }
    let set = managed
        .replace("\n#", "\n")
        .lines()
        .fold(String::new(), |text, line| {
            let prose = if line.starts_with(' ') { "#" } else { "" };
            text + prose + line + "\n"
        });
    let documents = [
        repository("config/chaperone.toml"),
        put(&world, "managed.toml".to_owned(), &managed),
        put(&world, "set.toml".to_owned(), &set),
    ];
    assert_eq!(judged(&world, &documents).await, ["ok", "ok", "ok"]);
}
