//! Files in places with any name, and whose they are.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::company::{Company, text};
use crate::world::World;
use crate::world::host::Host;

#[tokio::test]
async fn names_may_be_long_and_hold_spaces_and_any_letter() {
    let company = Company::of(World::windows(), "").await;
    let world = &company.world;
    let deep = ["Gr\u{f6}\u{df}e \u{6570}\u{636e} (x86)"; 20].join("\\");
    let place = format!("C:\\users\\person\\{deep}");
    assert!(
        place.encode_utf16().count() > 260,
        "longer than Windows once allowed"
    );
    let there = world
        .wine()
        .drive()
        .join("users/person")
        .join(deep.replace('\\', "/"));
    fs::create_dir_all(&there).expect("a directory");
    for file in ["chaperone.toml", "mcp-policies.yaml"] {
        fs::copy(world.config_file().with_file_name(file), there.join(file)).expect("a copy");
    }
    let mut command = world.chaperone(&["--config", &format!("{place}\\chaperone.toml")]);
    command.env("CHAPERONE_DATA_DIR", format!("{place}\\data"));
    let mut host = Host::start(command, &world.log("chaperone"));
    host.initialize("2025-06-18").await;
    let status = host.call("chaperone__status", json!({})).await;
    // Of such a length Wine cannot say where a file is, which the credential manager is asked by.
    assert!(
        text(&status).contains("records, strict durability"),
        "{status}"
    );
    host.close().await;
    assert!(there.join("data/audit.db").is_file());
}

#[tokio::test]
async fn what_others_could_have_written_does_not_count() {
    let company = Company::of(World::windows(), "").await;
    let world = &company.world;
    let shown = async || {
        let output = world.run(&["config", "show"]).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    };
    assert_eq!(shown().await.0, Some(0));
    let file = world.config_file();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("its mode");
    let (code, told) = shown().await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("can be changed by others (WD)"), "{told}");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode");
    assert_eq!(shown().await.0, Some(0));
    // A file that this account put where the administrator's belongs is not his.
    let managed = world.wine().drive().join("ProgramData/Chaperone");
    fs::create_dir_all(&managed).expect("a directory");
    fs::write(
        managed.join("managed.toml"),
        "[audit]\ndurability = \"process\"\n",
    )
    .expect("a file");
    let (code, told) = shown().await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("administrators"), "{told}");
}
