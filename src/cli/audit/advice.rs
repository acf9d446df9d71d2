//! What `--help` adds to the commands of the record.

pub(super) const AUDIT_HELP: &str = "\
Examples:
  chaperone audit list --since 2026-01-31 --outcome denied
  chaperone audit verify";

pub(super) const LIST_HELP: &str = "\
The newest 50 unless --limit or --all says otherwise, the newest first; with --json in their order.

Examples:
  chaperone audit list --server database --outcome denied
  chaperone audit list --all --since 2026-01-31 --json | jq -r '.tool_name'";

pub(super) const SHOW_HELP: &str = "\
Examples:
  chaperone audit show 17
  chaperone audit show 17 --proof > record.json
  chaperone audit verify record.json --key KEY";

pub(super) const VERIFY_HELP: &str = "\
Exit codes: 0 intact, 6 changed, 7 intact as far as can be told, with a part that is not proven.

Examples:
  chaperone audit verify
  chaperone audit verify evidence.zip --key \"$(cat key.txt)\" --json
  chaperone audit verify copy-of-audit.db --key KEY --head head.txt";

pub(super) const KEY_HELP: &str = "\
Keep it where the log is not: a key that comes with the log proves nothing.

Example:
  chaperone audit key > key.txt
  chaperone audit verify evidence.zip --key \"$(cat key.txt)\"";

pub(super) const ROTATE_HELP: &str = "\
The change is a record that both keys sign, so whoever kept the old key can still verify everything.
Witnesses know logs by their keys: give them the new one.

Example:
  chaperone audit rotate-key && chaperone audit key > key.txt";

pub(super) const STATS_HELP: &str = "\
Example:
  chaperone audit stats --since 2026-01-01 --until 2026-01-31 --offset +01:00

Medians and percentiles are exact below 256 ms and within 0.4 % above.";
