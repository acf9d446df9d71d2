//! `chaperone doctor --bundle`: what whoever helps gets to see. Secrets are planted wherever there can be
//! some, and are neither in the archive nor in what doctor says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::company::Company;
use crate::doctor::{cursor, settled};
use crate::world::{World, finish};

const HEADER: &str = "canary-in-a-header-1";
const ENVIRONMENT: &str = "canary-in-the-environment-2";
const ARGUMENT: &str = "canary-in-an-argument-3";
const OTHER_SERVER: &str = "canary-in-another-server-4";
const QUERY: &str = "canary-in-a-query-5";
const PROXY: &str = "canary-in-a-proxy-6";
const KEY: &str = "canary-in-a-key-7";
const OWN_ENTRY: &str = "canary-in-our-own-entry-8";
const CLOUD_KEY: &str = "AKIAIOSFODNN7CANARY9";

const CANARIES: [&str; 9] = [
    HEADER,
    ENVIRONMENT,
    ARGUMENT,
    OTHER_SERVER,
    QUERY,
    PROXY,
    KEY,
    OWN_ENTRY,
    CLOUD_KEY,
];

/// Plants secrets in the configuration, the keychain, a key file, a call, and a host's file.
async fn plant(company: &Company) {
    let world = &company.world;
    let home = world.home().display();
    for (name, text) in [
        ("client.key", KEY),
        ("client.pem", "none"),
        ("secret", HEADER),
    ] {
        let file = world.home().join(name);
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
    }
    let text = fs::read_to_string(world.config_file()).expect("a configuration");
    world.write_configuration(&format!(
        "{text}\n[[server]]\nname = \"asked\"\nurl = \"http://127.0.0.1:9/mcp?key={QUERY}\"\n\n\
         [[audit.sink]]\nname = \"hec\"\nkind = \"splunk\"\n\
         url = \"https://127.0.0.1:9/c?k={QUERY}\"\nauth = \"header\"\nheader = \"Authorization\"\n\
         client_cert = \"{home}/client.pem\"\nclient_key = \"{home}/client.key\"\n",
    ));
    let mut keeping = world.chaperone(&["sync", "secret", "hec"]);
    keeping.stdin(fs::File::open(world.home().join("secret")).expect("a file"));
    let kept = finish(&mut keeping).await;
    assert_eq!(kept.status.code(), Some(0), "{kept:?}");
    let mut host = company.host().await;
    host.tools().await;
    let note = format!("{CLOUD_KEY} is the key");
    let arguments = json!({"message": ARGUMENT, "password": ARGUMENT, "note": note});
    host.call("everything__echo", arguments).await;
    host.close().await;
    let text = fs::read(cursor(world)).expect("a file");
    let mut file: Value = serde_json::from_slice(&text).expect("JSON");
    file["mcpServers"][OTHER_SERVER] =
        json!({"command": OTHER_SERVER, "args": [OTHER_SERVER], "env": {"K": OTHER_SERVER}});
    file["mcpServers"]["chaperone"]["env"] = json!({"TOKEN": OWN_ENTRY});
    fs::write(cursor(world), file.to_string()).expect("a file");
}

/// Everything in an archive, decompressed by somebody else's program, after the names.
fn unpacked(archive: &Path) -> Vec<u8> {
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nout = sys.stdout.buffer\n\
                  out.write(repr(z.namelist()).encode())\nfor n in z.namelist(): out.write(z.read(n))";
    let mut command = std::process::Command::new("python3");
    let output = command.args(["-c", script]).arg(archive).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

async fn doctor(world: &World, arguments: &[&str]) -> Vec<u8> {
    let mut command = world.chaperone(&["doctor"]);
    command
        .args(arguments)
        .env("HTTPS_PROXY", format!("http://me:{PROXY}@127.0.0.1:9"))
        .env("NO_PROXY", "127.0.0.1")
        .env("SECRET_TOKEN", ENVIRONMENT);
    let output = finish(&mut command).await;
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    [output.stdout, output.stderr].concat()
}

async fn assert_without_secrets(company: &Company, outputs: &[Vec<u8>]) {
    let seen = company.provider.control("secrets", json!({})).await;
    let seen = seen["secrets"].as_array().expect("secrets");
    let mut secrets: Vec<&str> = seen.iter().filter_map(Value::as_str).collect();
    assert!(secrets.len() >= 4, "tokens: {}", secrets.len());
    secrets.extend(CANARIES);
    for secret in secrets {
        for output in outputs {
            let mut parts = output.windows(secret.len());
            let is_there = parts.any(|part| part == secret.as_bytes());
            let text = String::from_utf8_lossy(output);
            assert!(!is_there, "{secret}: {text}");
        }
    }
}

#[tokio::test]
async fn the_archive_says_what_is_wrong_and_holds_no_secret() {
    let company = settled().await;
    let world = &company.world;
    plant(&company).await;
    let archive = world.home().join("support.zip");
    let shown = archive.to_str().expect("a path");
    let mut outputs = vec![
        doctor(world, &["--bundle", shown]).await,
        doctor(world, &["--json"]).await,
        doctor(world, &["--fix", "--dry-run"]).await,
    ];
    let meta = fs::metadata(&archive).expect("an archive");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    let content = unpacked(&archive);
    let told = String::from_utf8_lossy(&content).into_owned();
    for there in [
        "README.txt', 'doctor.json', 'system.json', 'config.json', 'policy.json', 'hosts.json', \
         'tools.json', 'sync.json', 'records.jsonl'",
        "\"id\": \"server.asked\"",
        "CHP-SERVER-UNREACHABLE",
        "\"key\": \"identity.issuer\"",
        "\"others\": 1",
        "query_database",
        "\"tool_name\":\"echo\"",
        "\"user_id\":\"person-",
        "\"file\": \"~/.cursor/mcp.json\"",
    ] {
        assert!(told.contains(there), "{there}: {told}");
    }
    // Who the person is, and where he lives, is in what he sees himself and not in the archive.
    for private in ["alice", world.home().to_str().expect("a path")] {
        assert!(!told.contains(private), "{private}: {told}");
    }
    outputs.extend([content, fs::read(&archive).expect("an archive")]);
    assert_without_secrets(&company, &outputs).await;
}

#[tokio::test]
async fn an_archive_takes_no_other_files_place() {
    let world = World::new();
    let archive = world.home().join("support.zip");
    fs::write(&archive, "mine").expect("a file");
    let shown = archive.to_str().expect("a path");
    let output = world.run(&["doctor", "--bundle", shown]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("CHP-OUTPUT") && told.contains("nothing was written"),
        "{told}"
    );
    assert_eq!(fs::read(&archive).expect("a file"), b"mine");
    fs::remove_file(&archive).expect("a file");
    // Without a configuration, a log and a keychain there is still something to say.
    let output = world.run(&["doctor", "--bundle", shown]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8(unpacked(&archive)).expect("UTF-8");
    assert!(told.contains("CHP-CONFIG-MISSING"), "{told}");
}
