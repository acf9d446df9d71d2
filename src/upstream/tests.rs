//! Against servers of every temper, on loopback.

mod alone;
mod eras;
mod fake;
mod lists;
mod oddities;
mod questions;
mod recovery;
mod secrets;
mod sessions;
mod streams;
