//! chaperone: one stdio MCP server in front of many.
//!
//! ```text
//! host ──stdio──▶ front ──▶ gateway ──▶ catalog ─▶ policy ─▶ limits ─▶ audit ──▶ upstream ──HTTP──▶ server
//!                                         which?   may they? how often? write it   do it
//! host ◀─stdio── front ◀── gateway ◀──────────────────── audit (outcome) ◀─────── upstream ◀─────── server
//! ```
//!
//! Four properties hold by construction, not by review:
//!
//! - Nothing leaves without a permit, and nothing leaves without a durable record: `policy` alone
//!   makes a permit, `audit` alone turns it into an admitted call after the intent is on disk, and
//!   `upstream` sends nothing else.
//! - What the model cannot call, it does not see: lists and calls ask one function.
//! - Messages are relayed as the bytes that came; only what a decision needs is read, strictly.
//! - Nothing but MCP messages is written to standard output while serving.
//!
//! The modules below stand in reading order; each may use those under it, and `wire` and the leaves
//! at the end may be used by all. A test reads the `use` lines and holds this.

pub mod cli;

pub mod report;

pub mod doctor;

pub mod app;

pub mod front;

pub mod gateway;

pub mod sync;

pub mod catalog;

pub mod policy;

pub mod limits;

pub mod audit;

pub mod upstream;

pub mod login;

pub mod hosts;

pub mod config;

pub mod note;
pub mod wire;

pub mod bounds;

pub mod codes;
pub mod pages;

pub mod format;

pub mod principal;

pub mod name;

pub mod wording;

pub mod random;

#[cfg(any(windows, test))]
mod acl;
pub mod paths;

pub mod clock;

pub mod lock;

pub mod stop;

pub mod telemetry;

#[cfg(fuzzing)]
pub mod fuzzing;
