//! The program that was built for Windows, between the same servers, provider and hosts as everywhere.
//! `tests/run --install` brings Wine, and builds it.
//!
//! What Wine is not: it cannot take an access away from everybody, it has no packaged programs, and its
//! credential manager is its own. README.md names what no test runs.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[cfg(test)]
#[expect(dead_code, reason = "what only tests of other systems use")]
#[path = "world/world.rs"]
mod world;

#[cfg(test)]
#[expect(dead_code, reason = "what only tests of other systems use")]
#[path = "whole/company.rs"]
mod company;

#[cfg(test)]
#[path = "windows/essentials.rs"]
mod essentials;

#[cfg(test)]
#[path = "windows/managed.rs"]
mod managed;

#[cfg(test)]
#[path = "windows/places.rs"]
mod places;

#[cfg(test)]
#[path = "windows/upgrades.rs"]
mod upgrades;
