//! The matrix: hosts that others made at servers that others made, straight and through the program, one
//! feature after the other. `tests/matrix/table.md` is what came of it.
//!
//! Nothing may be worse through the program than straight; where a host and a server share no revision,
//! through the program everything has to work.

#![cfg(target_os = "linux")]

#[cfg(test)]
#[expect(dead_code, reason = "what only tests of the whole use")]
#[path = "world/world.rs"]
mod world;

#[cfg(test)]
#[path = "matrix/results.rs"]
mod results;

#[cfg(test)]
#[path = "matrix/runs.rs"]
mod runs;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::results::Results;
    use crate::runs::{HOSTS, Stage};
    use crate::world::repository;

    #[tokio::test]
    async fn everything_works_through_the_program_that_works_without_it() {
        let stage = Stage::signed_in().await;
        let mut results = Results::default();
        for host in &HOSTS {
            results.take(host.name, stage.through(host).await);
            results.take_direct(host.name, stage.direct(host).await);
        }
        let table = results.table();
        println!("{table}");
        let worse = results.worse();
        assert!(
            worse.is_empty(),
            "worse through the program:\n{}",
            worse.join("\n")
        );
        let kept = repository("tests/matrix/table.md");
        let before = std::fs::read_to_string(&kept).unwrap_or_default();
        if before != table {
            let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("table.md");
            std::fs::write(&new, table).expect("a new table");
            let (new, kept) = (new.display(), kept.display());
            panic!("the table is out of date; look at the new one, then: cp {new} {kept}");
        }
    }
}
