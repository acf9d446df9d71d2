//! A way to a receiver that can be cut.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Where a connection is cut.
pub enum Cut {
    /// Nothing is passed on to the daemon after so many bytes.
    After(usize),
    /// Everything is passed on, and nothing that the daemon says after so many bytes.
    Unanswered(usize),
}

/// What becomes of the next connection, and who is told when it has come to that.
struct Plan {
    cut: Cut,
    told: oneshot::Sender<()>,
}

/// A way to a daemon.
pub struct Way {
    /// Where it begins.
    pub port: u16,
    plan: Arc<Mutex<Option<Plan>>>,
}

impl Way {
    /// Leads to a port of this machine, whoever listens there.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let begins = listener.local_addr().expect("an address").port();
        let plan = Arc::default();
        let way = Self {
            port: begins,
            plan: Arc::clone(&plan),
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((sender, _)) = listener.accept().await {
                let plan = plan.lock().expect("no panic").take();
                // Without a daemon the sender finds nobody.
                if let Ok(daemon) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "it ends with the test's runtime"
                    )]
                    tokio::spawn(pass(sender, daemon, plan));
                }
            }
        });
        way
    }

    /// Cuts the next connection; what is returned resolves when it has come to that.
    pub fn cut(&self, cut: Cut) -> oneshot::Receiver<()> {
        let (told, reached) = oneshot::channel();
        *self.plan.lock().expect("no panic") = Some(Plan { cut, told });
        reached
    }
}

async fn pass(mut sender: TcpStream, mut daemon: TcpStream, plan: Option<Plan>) {
    let Some(Plan { cut, told }) = plan else {
        // Either side may break off.
        let _broken = copy_bidirectional(&mut sender, &mut daemon).await;
        return;
    };
    let (mut from_sender, mut to_sender) = sender.split();
    let (mut from_daemon, mut to_daemon) = daemon.split();
    match cut {
        Cut::After(bytes) => {
            let there = async {
                let bytes = u64::try_from(bytes).expect("a number");
                let passed = copy(&mut (&mut from_sender).take(bytes), &mut to_daemon).await;
                assert_eq!(
                    passed.expect("a daemon that reads"),
                    bytes,
                    "it was shorter"
                );
                let _heard = told.send(());
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = there => {}
                // The daemon's end.
                _ended = copy(&mut from_daemon, &mut to_sender) => {}
            }
        }
        Cut::Unanswered(bytes) => {
            let mut passed = 0;
            let mut buffers = (vec![0; 4096], vec![0; 4096]);
            loop {
                tokio::select! {
                    read = from_sender.read(&mut buffers.0) => match read {
                        Ok(read @ 1..) => {
                            passed += read;
                            to_daemon.write_all(&buffers.0[..read]).await.expect("a daemon");
                        }
                        Ok(0) | Err(_) => break,
                    },
                    read = from_daemon.read(&mut buffers.1) => match read {
                        Ok(read @ 1..) if passed < bytes => {
                            to_sender.write_all(&buffers.1[..read]).await.expect("a sender");
                        }
                        Ok(1..) => {}
                        Ok(0) | Err(_) => break,
                    },
                }
            }
            let _heard = told.send(());
            sender.set_zero_linger().expect("a socket");
        }
    }
}
