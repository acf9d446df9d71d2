//! Hosts: which are known, where each keeps its configuration, and one entry more or less in it.
//!
//! Nothing here prints, and nothing is decided for the person: commands say what is to be done.

pub mod backup;
pub mod edit;
mod files;
pub mod foreign;
mod locations;
pub mod program;
mod running;
mod standing;
mod table;

pub use files::{FileError, HostFile};
pub use locations::{Location, Scope, Surroundings, System, locations};
pub use running::{is_running, writes_back};
pub use standing::{Standing, own_name, standing};
pub use table::{Dialect, Host, Syntax};

/// What chaperone is called in a host's file.
pub const NAME: &str = "chaperone";
