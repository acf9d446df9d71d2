//! The ring of the whole: the program as it is shipped, between real hosts, servers, a real identity
//! provider, keychain and browser. `tests/run --install` brings what they are made of.
//!
//! One binary holds the ring, so that it is linked once.

#![cfg(target_os = "linux")]

#[cfg(test)]
#[expect(dead_code, reason = "what only tests of the signed-in program use")]
#[path = "world/world.rs"]
mod world;

#[cfg(test)]
#[path = "whole/company.rs"]
mod company;

#[cfg(test)]
#[path = "whole/spine.rs"]
mod spine;

#[cfg(test)]
#[path = "whole/init.rs"]
mod init;

#[cfg(test)]
#[path = "whole/surface.rs"]
mod surface;

#[cfg(test)]
#[path = "whole/alone.rs"]
mod alone;

#[cfg(test)]
#[path = "whole/bridge.rs"]
mod bridge;

#[cfg(test)]
#[path = "whole/fidelity.rs"]
mod fidelity;

#[cfg(test)]
#[path = "whole/pins.rs"]
mod pins;

#[cfg(test)]
#[path = "whole/witness.rs"]
mod witness;

#[cfg(test)]
#[path = "whole/sync.rs"]
mod sync;

#[cfg(test)]
#[path = "whole/mutual.rs"]
mod mutual;

#[cfg(test)]
#[path = "whole/syslog.rs"]
mod syslog;

#[cfg(test)]
#[path = "whole/spool.rs"]
mod spool;

#[cfg(test)]
#[path = "whole/strange.rs"]
mod strange;

#[cfg(test)]
#[path = "whole/sign_in.rs"]
mod sign_in;

#[cfg(test)]
#[path = "whole/outages.rs"]
mod outages;

#[cfg(test)]
#[path = "whole/hostile.rs"]
mod hostile;

#[cfg(test)]
#[path = "whole/evidence.rs"]
mod evidence;

#[cfg(test)]
#[path = "whole/ending.rs"]
mod ending;

#[cfg(test)]
#[path = "whole/kills.rs"]
mod kills;

#[cfg(test)]
#[path = "whole/upgrades.rs"]
mod upgrades;

#[cfg(test)]
#[path = "whole/secrets.rs"]
mod secrets;

#[cfg(test)]
#[path = "whole/terminal.rs"]
mod terminal;

#[cfg(test)]
#[path = "whole/headers.rs"]
mod headers;

#[cfg(test)]
#[path = "whole/managed.rs"]
mod managed;

#[cfg(test)]
#[path = "whole/schema.rs"]
mod schema;

#[cfg(test)]
#[path = "whole/doctor.rs"]
mod doctor;

#[cfg(test)]
#[path = "whole/support.rs"]
mod support;

#[cfg(test)]
#[path = "whole/setup.rs"]
mod setup;

#[cfg(test)]
#[path = "whole/hosts.rs"]
mod hosts;

#[cfg(test)]
#[path = "whole/pages.rs"]
mod pages;

#[cfg(test)]
#[path = "whole/world_works.rs"]
mod world_works;
