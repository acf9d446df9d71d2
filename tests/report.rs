//! Reports as people open them: in a real browser, with nothing in them, with a fortnight's calls,
//! with a hundred thousand, and with what a hostile server would like to put there.
//!
//! `cargo test --test report fortnight` leaves its report and pictures of it in `tmp/report` of the
//! target directory; the two in `tests/report` are from there.

#![cfg(target_os = "linux")]

#[cfg(test)]
#[expect(dead_code, reason = "what only tests of the signed-in program use")]
#[path = "world/world.rs"]
mod world;

#[cfg(test)]
#[path = "report/log.rs"]
mod log;

#[cfg(test)]
#[path = "report/company.rs"]
mod company;

#[cfg(test)]
#[path = "report/tests.rs"]
mod tests;
