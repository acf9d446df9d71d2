//! What a package installs, in the hands of a person: signed in at the company, used, upgraded under a
//! host that runs, and removed.
//!
//! `installers/check` makes the packages and starts this with them; without them there is nothing to do:
//!
//!   cargo test --test packages -- PROGRAM INSTALL UPGRADE REMOVE
//!
//! PROGRAM is where the package puts the program, the others are commands for `sh`; with packages for
//! Windows, Wine is the machine:
//!
//!   cargo test --test packages -- NOW.msi NEXT.msi

#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::print_stdout,
        clippy::expect_used,
        reason = "it tells what it has seen, and ends where it cannot go on"
    )
)]

#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "what only other tests use")]
#[path = "world/world.rs"]
mod world;

#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "what only other tests use")]
#[path = "whole/company.rs"]
mod company;

#[cfg(target_os = "linux")]
#[path = "packages/used.rs"]
mod used;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(target_os = "linux")]
    match arguments.as_slice() {
        [program, install, upgrade, remove] => used::by_a_person(program, install, upgrade, remove),
        [now, next] => used::on_windows(now, next),
        _ => println!("installers/check starts this with what it has made"),
    }
    #[cfg(not(target_os = "linux"))]
    drop(arguments);
}
