//! What the record costs when it is large: appending, size, verifying and reading, and what calls feel of
//! sending, pruning and verifying that go on beside them.
//!
//! ```text
//! cargo bench --bench evidence               a log of a million records
//! cargo bench --bench evidence -- 100000     or of as many as are wanted
//! ```
//!
//! The log is the program's own, in a directory of its own under the system's temporary one, which should
//! be on the disk that is to be measured. Calls are made as a host's would be: on the thread on which
//! records are sent. Nothing here passes or fails by time; `cargo test` runs it briefly, for what it does.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot go on says why and ends"
)]

#[cfg(target_os = "linux")]
#[path = "evidence/beside.rs"]
mod beside;
#[cfg(target_os = "linux")]
#[path = "evidence/log.rs"]
mod log;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the other benchmark measures more")]
#[path = "measure.rs"]
mod measure;
#[cfg(target_os = "linux")]
#[path = "evidence/program.rs"]
mod program;

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "it reports")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    // Cargo says `--bench` when it measures, and nothing when it tests.
    let size = if arguments.iter().any(|argument| argument == "--bench") {
        beside::Size {
            records: wanted.unwrap_or(1_000_000),
            calls: 5000,
        }
    } else {
        beside::Size {
            records: 4000,
            calls: 50,
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let report = runtime.expect("a runtime").block_on(beside::run(size));
    println!("{report}");
}

#[cfg(not(target_os = "linux"))]
fn main() {}
