use std::net::Ipv4Addr;

use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server;

use super::*;

/// More than the system keeps on the way.
const MUCH: usize = 32 << 20;
/// One segment of it.
const LITTLE: usize = 100;

type Peer = server::TlsStream<TcpStream>;

/// A receiver for one connection, which does what it is told.
struct Receiver {
    tls: Tls,
    port: u16,
    acts: JoinHandle<io::Result<()>>,
}

impl Receiver {
    async fn new<F: Future<Output = io::Result<()>> + Send + 'static>(
        asks: bool,
        act: impl FnOnce(Peer) -> F + Send + 'static,
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let acceptor = acceptor(certificate.clone(), &key, asks);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let acts = tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            act(acceptor.accept(stream).await?).await
        });
        let tls = Tls::new(None, &[certificate], None).unwrap();
        Self { tls, port, acts }
    }

    /// What comes of so many bytes.
    async fn gets(self, bytes: usize) -> Result<Goodbye, HandoverError> {
        let host = Host::Ipv4(Ipv4Addr::LOCALHOST);
        let bytes = vec![b'x'; bytes];
        let result = self.tls.hand_over(&host, self.port, &bytes).await;
        // What it does after the end is its own affair.
        let _ended = self.acts.await;
        result
    }
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair, asks: bool) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let settings = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let settings = if asks {
        settings.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        settings.with_no_client_auth()
    };
    let settings = settings.with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(settings))
}

async fn read(stream: &mut Peer) -> io::Result<usize> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await
}

fn is_reset(result: &Result<Goodbye, HandoverError>) -> bool {
    let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    matches!(result, Err(HandoverError::Io(error)) if kinds.contains(&error.kind()))
}

#[tokio::test]
async fn a_receiver_that_read_everything_and_says_farewell_has_it() {
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        assert_eq!(read(&mut stream).await?, MUCH);
        stream.shutdown().await
    });
    let result = receiver.await.gets(MUCH).await;
    assert!(matches!(result, Ok(Goodbye::Answered)), "{result:?}");
}

#[tokio::test]
async fn an_end_without_farewell_is_told_apart() {
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        read(&mut stream).await?;
        Ok(())
    });
    let result = receiver.await.gets(LITTLE).await;
    assert!(matches!(result, Ok(Goodbye::Bare)), "{result:?}");
}

#[tokio::test]
async fn a_farewell_before_the_end_is_none() {
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        stream.shutdown().await?;
        read(&mut stream).await.map(drop)
    });
    let result = receiver.await.gets(MUCH).await;
    assert!(matches!(result, Err(HandoverError::Early)), "{result:?}");
}

#[tokio::test]
async fn a_reset_behind_the_farewell_counts() {
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        read(&mut stream).await?;
        stream.get_mut().1.send_close_notify();
        stream.flush().await?;
        stream.get_ref().0.set_zero_linger()
    });
    let result = receiver.await.gets(LITTLE).await;
    assert!(is_reset(&result), "{result:?}");
}

#[tokio::test]
async fn what_was_never_read_is_missed_after_an_end_in_order() {
    let (go, gone) = tokio::sync::oneshot::channel();
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        // Says farewell and closes its side; then it is gone, with everything unread.
        stream.shutdown().await?;
        let _went = gone.await;
        Ok(())
    });
    let Receiver { tls, port, acts } = receiver.await;
    let (stream, name) = reach(&Host::Ipv4(Ipv4Addr::LOCALHOST), port).await.unwrap();
    let connector = TlsConnector::from(tls.0);
    let mut stream = connector.connect(name, stream).await.unwrap();
    // As if the bytes had been on their way when it closed.
    stream.write_all(b"never read").await.unwrap();
    assert_eq!(farewell(&mut stream).await.unwrap(), Goodbye::Answered);
    settle(&stream).unwrap();
    go.send(()).unwrap();
    acts.await.unwrap().unwrap();
    assert!(settle(&stream).is_err());
}

#[tokio::test]
async fn a_receiver_that_talks_is_none() {
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        loop {
            stream.write_all(&[b'x'; 4096]).await?;
        }
    });
    let result = receiver.await.gets(MUCH).await;
    assert!(matches!(result, Err(HandoverError::Talk)), "{result:?}");
}

#[tokio::test]
async fn a_certificate_that_is_missing_is_asked_for_by_name() {
    for bytes in [LITTLE, MUCH] {
        let receiver = Receiver::new(true, async |_: Peer| Ok(()));
        let error = receiver.await.gets(bytes).await.unwrap_err().to_string();
        assert!(error.contains("`client_cert`"), "{error}");
    }
}

#[tokio::test]
async fn a_receiver_of_an_unknown_authority_gets_nothing() {
    let receiver = Receiver::new(false, async |mut stream: Peer| {
        assert_eq!(read(&mut stream).await?, 0);
        Ok(())
    });
    let mut receiver = receiver.await;
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["other".to_owned()]).unwrap();
    let other = params.self_signed(&key).unwrap().der().clone();
    receiver.tls = Tls::new(None, &[other], None).unwrap();
    let error = receiver.gets(LITTLE).await.unwrap_err().to_string();
    assert!(error.contains("`ca_file`"), "{error}");
}
