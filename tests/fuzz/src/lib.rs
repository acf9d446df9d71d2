//! What the fuzz targets share: inputs in pieces, and second readers that are slow and plain.
//!
//! A target holds what the program reads against what a reader here reads in the same bytes. The
//! readers share no code with the program, build everything, and know no limits of their own.

pub mod challenges;
pub mod events;
pub mod json;
pub mod message;
pub mod pieces;
pub mod proofs;
