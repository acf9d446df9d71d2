//! The conformance suite of MCP, both ways through the program: as a server behind a bridge from
//! HTTP, and as a client of the suite's servers. tests/conformance/run.mjs runs it and judges.

#![cfg(target_os = "linux")]

#[cfg(test)]
#[expect(dead_code, reason = "what only other tests of the whole use")]
#[path = "world/world.rs"]
mod world;

#[cfg(test)]
#[path = "conformance/through.rs"]
mod through;
