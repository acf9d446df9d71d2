//! The company and a session, held for a load generator that starts the program itself.

use std::io::Write as _;

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::load::POLICY;
use crate::world::World;
use crate::world::parts::Server;

/// Signs in for the servers at these addresses (after the durability), prints the command, and
/// waits until standard input closes.
#[expect(
    clippy::print_stdout,
    reason = "whoever measures starts what it prints"
)]
pub async fn run(wanted: &[&String]) {
    let [durability, addresses @ ..] = wanted else {
        panic!("hold wants a durability and the addresses of servers");
    };
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    provider.control("ttl", json!({"access": 3600})).await;
    let mut servers = Vec::new();
    for (address, n) in addresses.iter().zip(0..) {
        servers.push(Server::new((*address).clone(), &format!("s{n}")));
        provider.add_resource(address).await;
    }
    let audit = format!("[audit]\ndurability = \"{durability}\"\n");
    let servers: Vec<&Server> = servers.iter().collect();
    world.configure(&provider, &servers, &audit);
    world.write_policy(POLICY);
    world.sign_in("alice").await;
    let command = world.chaperone(&[]);
    print!("env -i");
    for (name, value) in command.as_std().get_envs() {
        print!(
            " {}={}",
            name.display(),
            value.unwrap_or_default().display()
        );
    }
    println!(" {}", command.as_std().get_program().display());
    std::io::stdout().flush().expect("a stdout");
    let mut rest = Vec::new();
    let _end = tokio::io::stdin().read_to_end(&mut rest).await;
}
