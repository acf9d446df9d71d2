//! A running program cannot be written over, but it can be renamed: that is how it is replaced under a
//! host.

use std::path::PathBuf;

use serde_json::json;

use crate::company::{Company, link};
use crate::world::host::Host;
use crate::world::{World, browser, finish, installed};

const PLACE: &str = r"C:\chaperone.exe";

async fn command(world: &World, line: &str) -> bool {
    let mut command = world.wine().system(world);
    command.args(["cmd", "/c", line]);
    finish(&mut command).await.status.success()
}

async fn host(world: &World) -> Host {
    let mut command = world.wine().system(world);
    command.arg(PLACE);
    let mut host = Host::start(command, &world.log("installed"));
    host.initialize("2025-06-18").await;
    host
}

async fn query(host: &mut Host) {
    let arguments = json!({"sql": "select 1"});
    let rows = host.call("database__query_database", arguments).await;
    assert_ne!(rows["isError"], true, "{rows}");
}

#[tokio::test]
async fn a_program_that_runs_is_renamed_and_another_takes_its_place() {
    let company = Company::of(World::windows(), "").await;
    let world = &company.world;
    let drive = world.wine().drive();
    let there = |name: &str| -> PathBuf { drive.join(name) };
    // With the library that Wine lacks, which is looked for beside the program.
    let copy = std::process::Command::new("cp")
        .arg(installed("windows/chaperone.exe"))
        .arg(installed("windows/bcryptprimitives.dll"))
        .arg(&drive)
        .status();
    assert!(copy.is_ok_and(|status| status.success()), "a copy");
    let mut one = host(world).await;
    // Written over or deleted it cannot be; the system says so.
    assert!(!command(world, r"copy /y C:\windows\notepad.exe C:\chaperone.exe").await);
    command(world, r"del C:\chaperone.exe").await;
    assert!(there("chaperone.exe").is_file());
    // Renamed it can be, and then the name is free.
    assert!(command(world, r"ren C:\chaperone.exe chaperone.old").await);
    assert!(command(world, r"copy C:\chaperone.old C:\chaperone.exe").await);
    let asked = one.call("chaperone__sign_in", json!({})).await;
    assert_eq!(browser::sign_in(&link(&asked), "alice").await.status, 200);
    one.method("notifications/tools/list_changed").await;
    query(&mut one).await;
    let mut other = host(world).await;
    query(&mut other).await;
    query(&mut one).await;
    one.close().await;
    other.close().await;
    assert!(command(world, r"del C:\chaperone.old").await);
    company.assert_intact().await;
    assert_eq!(company.database.calls().await.len(), 3);
}
