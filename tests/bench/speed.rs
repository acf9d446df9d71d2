//! What chaperone costs: the program under load against a server on loopback, and the same load
//! straight to the server, in turns, so that the ratios hold on a busy machine too.
//!
//! ```text
//! tests/run --install && cargo bench --bench speed
//! ```
//!
//! The program has its policy and its record, a real keychain and a real sign-in. Nothing here passes
//! or fails by time; `cargo test` runs it briefly, for what it does.
//!
//! For another load generator, with servers of its own, this signs a person in, prints the command
//! that starts the program for these servers, and keeps the company running until its standard input
//! closes:
//!
//! ```text
//! cargo bench --bench speed -- hold process http://127.0.0.1:9101/mcp http://127.0.0.1:9102/mcp
//! ```

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot go on says why and ends"
)]

#[cfg(target_os = "linux")]
#[path = "direct.rs"]
mod direct;
#[cfg(target_os = "linux")]
#[path = "hold.rs"]
mod hold;
#[cfg(target_os = "linux")]
#[path = "load.rs"]
mod load;
#[cfg(target_os = "linux")]
#[path = "measure.rs"]
mod measure;
#[cfg(target_os = "linux")]
#[path = "server.rs"]
mod server;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the world has more than the benchmark needs")]
#[path = "../world/world.rs"]
mod world;

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "it reports")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    if has("serve") {
        return runtime.block_on(server::run(has("silent")));
    }
    if let Some(place) = arguments.iter().position(|argument| argument == "hold") {
        let wanted = arguments.get(place + 1..).unwrap_or_default();
        let wanted: Vec<&String> = wanted.iter().filter(|word| *word != "--bench").collect();
        return runtime.block_on(hold::run(&wanted));
    }
    // Cargo says `--bench` when it measures, and nothing when it tests.
    let size = if has("--bench") {
        load::FULL
    } else {
        load::BRIEF
    };
    let report = runtime.block_on(load::run(size));
    println!("{report}");
}

#[cfg(not(target_os = "linux"))]
fn main() {}
