//! An HTTP/2 server over TLS that resets, refuses and goes away to order, and the certificate that makes it trusted.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use e2e::Heard;
use h2::Reason;
use h2::server::{Builder, Connection, SendResponse};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};
use tokio_rustls::server::TlsStream;

/// What to do with a request.
pub(crate) enum Play {
    /// Answer it.
    Answer(Response<()>, &'static str),
    /// Reset its stream in place of an answer.
    Reset(Reason),
    /// Reset its stream behind the head of this answer.
    ResetBehind(Response<()>, Reason),
    /// Say that no stream was processed, and go away.
    GoAway(Reason),
    /// Close the connection without a word.
    Cut,
}

/// Answers a request.
pub(crate) type Script = Box<dyn Fn(&Heard) -> Play + Send + Sync>;

/// A running server for `localhost`.
pub(crate) struct SecureServer {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl SecureServer {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let heard = Arc::new(Mutex::default());
        let (script, ear, acceptor) = (Arc::new(script), Arc::clone(&heard), acceptor());
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let (script, ear, acceptor) = (Arc::clone(&script), Arc::clone(&ear), acceptor.clone());
                tokio::spawn(async move {
                    // A client may leave whenever it likes.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = serve(stream, number, &script, &ear).await;
                    }
                });
                number += 1;
            }
        });
        Self { port, heard }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    stream: TlsStream<TcpStream>,
    number: usize,
    script: &Script,
    ear: &Mutex<Vec<Heard>>,
) -> Result<(), h2::Error> {
    // So little is buffered that a capacity to write says what was written is on its way.
    let mut connection: Connection<_, Bytes> =
        Builder::new().max_send_buffer_size(1).handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request?;
        let heard = hear(&request, number);
        ear.lock().unwrap_or_else(PoisonError::into_inner).push(heard.clone());
        match script(&heard) {
            Play::Answer(head, body) => answer(&mut respond, head, body)?,
            Play::Reset(reason) => respond.send_reset(reason),
            Play::ResetBehind(head, reason) => {
                tokio::spawn(reset_behind(respond, head, reason));
            }
            Play::GoAway(reason) => connection.abrupt_shutdown(reason),
            Play::Cut => return Ok(()),
        }
    }
    Ok(())
}

fn answer(
    respond: &mut SendResponse<Bytes>,
    head: Response<()>,
    body: &'static str,
) -> Result<(), h2::Error> {
    respond.send_response(head, false)?.send_data(Bytes::from_static(body.as_bytes()), true)
}

/// A reset overtakes what is still unwritten, so the head must be on its way first.
async fn reset_behind(
    mut respond: SendResponse<Bytes>,
    head: Response<()>,
    reason: Reason,
) -> Result<(), h2::Error> {
    let mut stream = respond.send_response(head, false)?;
    for _ in 0..2 {
        stream.reserve_capacity(1);
        while stream.capacity() == 0 {
            if std::future::poll_fn(|context| stream.poll_capacity(context)).await.transpose()?.is_none() {
                return Ok(());
            }
        }
        stream.send_data(Bytes::from_static(b"b"), false)?;
    }
    stream.send_reset(reason);
    Ok(())
}

/// The request as HTTP/1.1 would have it.
fn hear(request: &Request<h2::RecvStream>, connection: usize) -> Heard {
    let fields = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    let head = format!("{} {} HTTP/2\r\n", request.method(), request.uri().path());
    Heard { head: head + &fields.collect::<String>(), body: Vec::new(), connection }
}

/// Writes a certificate for `localhost`, and its key, into `folder`.
pub(crate) fn write_certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join(CERTIFICATE), made.cert.pem()).expect("a writable folder");
    std::fs::write(folder.join(KEY), made.signing_key.serialize_pem()).expect("a writable folder");
}

fn acceptor() -> TlsAcceptor {
    let folder = std::env::var_os(FOLDER).expect("the folder of the certificate");
    let certificate =
        CertificateDer::from_pem_file(Path::new(&folder).join(CERTIFICATE)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(Path::new(&folder).join(KEY)).expect("its key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key));
    let mut config = config.expect("a certificate that fits its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// The environment variable that names the folder of the certificate.
pub(crate) const FOLDER: &str = "ATTACKS_CERTIFICATE";
pub(crate) const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
