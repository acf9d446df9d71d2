//! Revisions of the protocol that begin with `initialize`.

/// Every revision with a handshake, oldest first.
pub const HANDSHAKE: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The newest revision with a handshake.
pub const NEWEST_HANDSHAKE: &str = "2025-11-25";

/// The revision to answer a host with that asked for `asked`: the same if it is known, else the
/// newest (MCP 2025-11-25, basic/lifecycle, version negotiation).
#[must_use]
pub fn negotiate(asked: &str) -> &'static str {
    HANDSHAKE
        .into_iter()
        .find(|known| *known == asked)
        .unwrap_or(NEWEST_HANDSHAKE)
}
