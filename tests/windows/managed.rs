//! What group policy writes counts before what people write.

use serde_json::Value;

use crate::company::Company;
use crate::world::{World, finish};

/// Sets a value as group policy would.
async fn set(world: &World, name: &str, kind: &str, value: &str) {
    let key = r"HKLM\SOFTWARE\Policies\Chaperone";
    let mut command = world.wine().system(world);
    command.args(["reg", "add", key, "/v", name, "/t", kind, "/d", value, "/f"]);
    let output = finish(&mut command).await;
    assert!(output.status.success(), "{output:?}");
}

fn of<'a>(settings: &'a [Value], key: &str) -> &'a Value {
    let found = settings.iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("no {key}: {settings:?}"))
}

#[tokio::test]
async fn values_of_the_registry_win_and_are_named() {
    let company = Company::of(World::windows(), "[audit]\ndurability = \"process\"\n").await;
    let world = &company.world;
    set(world, "audit.durability", "REG_SZ", "strict").await;
    set(world, "identity.redirect_port", "REG_DWORD", "8765").await;
    set(
        world,
        "identity.client_id",
        "REG_SZ",
        "REPLACE_WITH_CLIENT_ID",
    )
    .await;
    let (settings, code) = company.json(&["config", "show", "--json"]).await;
    assert_eq!(code, Some(0), "{settings:?}");
    let durability = of(&settings, "audit.durability");
    assert_eq!(durability["value"], "\"strict\"", "{durability}");
    assert_eq!(durability["store"], "registry", "{durability}");
    assert_eq!(durability["entry"], "audit.durability", "{durability}");
    assert_eq!(of(&settings, "identity.redirect_port")["value"], "8765");
    assert_eq!(of(&settings, "identity.client_id")["source"], "user");
    // What cannot be used refuses everything, and says where it is.
    set(world, "audit.durabilty", "REG_SZ", "process").await;
    let output = world.run(&["config", "show"]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("audit.durabilty") && told.contains("Policies"),
        "{told}"
    );
}
