//! Revisions of the protocol: those that begin with `initialize`, and the one whose requests stand
//! alone.

/// Every revision with a handshake, oldest first.
pub const HANDSHAKE: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The newest revision with a handshake.
pub const NEWEST_HANDSHAKE: &str = "2025-11-25";

/// The revision whose requests stand alone.
pub const STATELESS: &str = "2026-07-28";

/// Every revision that hosts are served in, newest first.
#[must_use]
pub fn served() -> Vec<&'static str> {
    let sessions = HANDSHAKE.into_iter().rev();
    std::iter::once(STATELESS).chain(sessions).collect()
}

/// Whether hosts are served in a revision.
#[must_use]
pub fn is_served(revision: &str) -> bool {
    revision == STATELESS || HANDSHAKE.contains(&revision)
}

/// The revision to answer a host with that asked for `asked`: the same if it is known, else the
/// newest (MCP 2025-11-25, basic/lifecycle, version negotiation).
#[must_use]
pub fn negotiate(asked: &str) -> &'static str {
    HANDSHAKE
        .into_iter()
        .find(|known| *known == asked)
        .unwrap_or(NEWEST_HANDSHAKE)
}
