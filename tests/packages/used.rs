//! The life of a package on one machine.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::company::Company;
use crate::world::host::Host;
use crate::world::{World, finish, installed};

/// Does as whoever administers the machine would.
fn shell(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status();
    assert!(status.is_ok_and(|status| status.success()), "{command}");
}

async fn query(host: &mut Host) {
    let arguments = json!({"sql": "select 1"});
    let rows = host.call("database__query_database", arguments).await;
    assert_ne!(rows["isError"], true, "{rows}");
}

/// That the record is whole; what is not signed yet while a host runs is unproven, not changed.
async fn assert_whole(company: &Company) {
    let output = company.world.run(&["audit", "verify"]).await;
    assert!(matches!(output.status.code(), Some(0 | 7)), "{output:?}");
}

async fn running(company: &Company) -> Value {
    let output = company.world.run(&["doctor", "--json"]).await;
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut checks = found["checks"].as_array().expect("checks").iter();
    let check = checks.find(|check| check["id"] == "version.running");
    check.expect("a check").clone()
}

#[tokio::main(flavor = "current_thread")]
pub async fn by_a_person(program: &str, install: &str, upgrade: &str, remove: &str) {
    shell(install);
    let mut world = World::new();
    world.keychain().await;
    world.installed(Path::new(program));
    let mut company = Company::of(world, "").await;
    company.sign_in("alice").await;
    let mut host = company.host().await;
    query(&mut host).await;
    assert_whole(&company).await;
    let version = company.json(&["version", "--json"]).await.0;
    println!("installed, signed in, and used: {}", version[0]["version"]);

    // Upgraded under the host, which goes on; the next one starts the new program, without a sign-in.
    shell(upgrade);
    query(&mut host).await;
    let mut next = company.host().await;
    query(&mut next).await;
    let check = running(&company).await;
    assert_eq!(check["code"], "CHP-VERSION-MIXED", "{check}");
    assert_whole(&company).await;
    host.close().await;
    query(&mut next).await;
    next.close().await;
    company.assert_intact().await;
    let (who, code) = company.json(&["whoami", "--json"]).await;
    assert_eq!(
        (code, &who[0]["user"]),
        (Some(0), &json!("alice@example.test"))
    );
    println!("upgraded while a host ran: one record, one session");

    // What is the person's stays, and another program reads it.
    shell(remove);
    assert!(!Path::new(program).exists(), "{program} is left");
    company.world.uninstalled();
    company.assert_intact().await;
    let calls = company.record().await;
    let calls = calls.iter().filter(|one| one["kind"] == "outcome").count();
    assert_eq!((calls, company.database.calls().await.len()), (4, 4));
    let mut host = company.host().await;
    query(&mut host).await;
    host.close().await;
    println!("removed: record, session and configuration are as they were");
}

async fn msiexec(world: &World, how: &str, package: &str) {
    let mut command = world.wine().system(world);
    command.args(["msiexec", how, package, "/qn"]);
    let output = finish(&mut command).await;
    assert!(output.status.success(), "{how} {package}: {output:?}");
}

async fn call(company: &Company) {
    let mut host = company.host().await;
    query(&mut host).await;
    host.close().await;
}

/// The same on Windows, where nothing runs while it is upgraded.
#[tokio::main(flavor = "current_thread")]
pub async fn on_windows(now: &str, next: &str) {
    let mut world = World::windows();
    let drive = world.wine().drive();
    let library = installed("windows/bcryptprimitives.dll");
    let copies = [
        (Path::new(now), "now.msi"),
        (Path::new(next), "next.msi"),
        // Wine lacks this one of the system.
        (&library, "windows/system32/bcryptprimitives.dll"),
    ];
    for (from, to) in copies {
        std::fs::copy(from, drive.join(to)).expect("a copy");
    }
    let program = drive.join("Program Files/Chaperone/chaperone.exe");
    msiexec(&world, "/i", r"C:\now.msi").await;
    world.installed(&program);
    let mut company = Company::of(world, "").await;
    company.sign_in("alice").await;
    call(&company).await;
    assert_whole(&company).await;
    println!("installed, signed in, and used on Windows");

    let before = std::fs::metadata(&program).expect("a program").len();
    msiexec(&company.world, "/i", r"C:\next.msi").await;
    let after = std::fs::metadata(&program).expect("a program").len();
    assert_ne!(before, after, "the upgrade leaves the old program");
    call(&company).await;
    company.assert_intact().await;
    println!("upgraded: one record, one session");

    msiexec(&company.world, "/x", r"C:\next.msi").await;
    assert!(!program.exists(), "the program is left");
    company.world.uninstalled();
    company.assert_intact().await;
    assert_eq!(company.database.calls().await.len(), 2);
    call(&company).await;
    println!("removed: record, session and configuration are as they were");
}
