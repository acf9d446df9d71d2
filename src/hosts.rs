//! Hosts: which are known, where each keeps its configuration, and one entry more or less in it.
//!
//! Nothing here prints, and nothing is decided for the person: commands say what is to be done.

pub mod edit;
mod table;

pub use table::{Dialect, Host, Syntax};
