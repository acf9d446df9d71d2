//! The program as an auditor runs it, with the time and the memory that it takes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

/// What a run took.
pub struct Run {
    pub seconds: f64,
    /// The most memory, in MiB.
    pub peak: f64,
    pub code: Option<i32>,
}

/// Runs a command on the log of a home to its end.
pub fn run(home: &Path, arguments: &[&str]) -> Run {
    let begun = Instant::now();
    let mut child = start(home, arguments);
    let mut peak = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        peak = peak.max(memory(child.id()));
        std::thread::sleep(Duration::from_millis(2));
    };
    Run {
        seconds: begun.elapsed().as_secs_f64(),
        peak,
        code: status.code(),
    }
}

/// Runs a command again and again as long as this lives.
pub struct Again {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Again {
    pub fn begin(home: &Path, arguments: &'static [&'static str]) -> Self {
        let (stop, stopped) = std::sync::mpsc::channel();
        let home = home.to_owned();
        let thread = std::thread::spawn(move || {
            let mut runs = 0;
            loop {
                let mut child = start(&home, arguments);
                runs += 1;
                while child.try_wait().expect("a child").is_none() {
                    let told = stopped.recv_timeout(Duration::from_millis(5));
                    if told != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                        end(&mut child);
                        return runs;
                    }
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it; how often the command was begun.
    pub fn end(mut self) -> usize {
        let _ended_already = self.stop.send(());
        let thread = self.thread.take().expect("ended once");
        thread.join().expect("a thread that ends")
    }
}

fn end(child: &mut Child) {
    let pid = rustix::process::Pid::from_child(child);
    let _ended_already = kill_process(pid, Signal::KILL);
    let _status = child.wait();
}

fn start(home: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaperone"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("CHAPERONE_CONFIG", home.join("chaperone.toml"))
        .env("CHAPERONE_DATA_DIR", home.join("data"))
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

/// The most that a process has taken so far; nothing, once it has ended.
fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = kib.and_then(|kib| kib.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
