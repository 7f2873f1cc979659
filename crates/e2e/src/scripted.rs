//! An HTTP/1.1 server on a raw socket that does what a test's script says, however wrong that is, and remembers
//! what it heard.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use alloy_primitives::keccak256;
use bytes::BytesMut;
use mpp_core::payee::Offer;
use mpp_core::tempo::Payload;
use mpp_core::{Amount, Challenge, ChargeRequest, Credential, Receipt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::{CHAIN_ID, PATH_USD, RECIPIENT};

/// A request as it came off the socket.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The request line and the header lines.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// On which connection it came, counted from 0.
    pub connection: usize,
}

impl Heard {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The value of a header field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The credential that came with it.
    pub fn credential(&self) -> Option<Credential> {
        let value = self.header("payment-authorization").or(self.header("authorization"))?;
        Credential::parse(value.as_bytes()).ok()
    }

    /// A receipt for the transaction in the credential.
    pub fn receipt(&self) -> Receipt {
        let credential = self.credential().expect("a credential");
        let hash = match credential.payload() {
            Payload::Transaction(raw) => keccak256(raw),
            Payload::Hash(hash) => *hash,
            _ => panic!("no transaction: {credential:?}"),
        };
        Receipt::new(hash.to_string(), 0, None)
    }
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    then: Then,
    stop_listening: bool,
}

/// What to do with the connection after the reply's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Wait for the next request.
    Listen,
    /// Close it.
    Close,
    /// Send this byte every few milliseconds until the client leaves.
    Drip(u8),
    /// Say nothing more until the client leaves.
    Silence,
}

impl Reply {
    /// A whole response.
    pub fn new(status: u16, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let fields = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let fields = fields.collect::<String>();
        let head = format!("HTTP/1.1 {status} So\r\n{fields}content-length: {}\r\n\r\n", body.len());
        Self::raw([head.as_bytes(), body].concat())
    }

    /// A `402` with this challenge and no body.
    pub fn payment_required(challenge: &Challenge) -> Self {
        Self::new(402, &[("www-authenticate", &challenge.encode())], "")
    }

    /// These bytes, whatever they are.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), then: Then::Listen, stop_listening: false }
    }

    /// Does this with the connection afterwards.
    #[must_use]
    pub fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    /// Refuses every new connection from before the first byte of this reply.
    #[must_use]
    pub fn stop_listening(self) -> Self {
        Self { stop_listening: true, ..self }
    }
}

/// A running server on a loopback port; its connections end with the test's runtime.
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<dyn Fn(&Heard) -> Reply + Send + Sync>,
    heard: Mutex<Vec<Heard>>,
    written: Mutex<usize>,
    open: watch::Sender<usize>,
    listening: Mutex<Option<JoinHandle<()>>>,
    deaf_from: AtomicUsize,
}

impl ScriptedServer {
    /// A server that asks `script` about every request.
    pub async fn start(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Little is written that nobody reads; what is accepted inherits it.
        socket.set_send_buffer_size(16 * 1024).expect("a small buffer");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let listener = socket.listen(64).expect("a listening socket");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            heard: Mutex::default(),
            written: Mutex::default(),
            open: watch::Sender::new(0),
            listening: Mutex::default(),
            deaf_from: AtomicUsize::new(usize::MAX),
        });
        *lock(&shared.listening) = Some(tokio::spawn(Arc::clone(&shared).listen(listener)));
        Self { address, shared }
    }

    /// Closes every connection from this one on, counted from 0, without having read from it.
    #[must_use]
    pub fn deaf_from(self, connection: usize) -> Self {
        self.shared.deaf_from.store(connection, Ordering::SeqCst);
        self
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of a route, which starts with `/`.
    pub fn url(&self, route: &str) -> String {
        format!("http://{}{route}", self.address)
    }

    /// Every request so far, in order of arrival.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.shared.heard).clone()
    }

    /// Waits until the clients have left, and says how many bytes they were sent.
    pub async fn written(&self) -> usize {
        let mut open = self.shared.open.subscribe();
        open.wait_for(|open| *open == 0).await.expect("the server still runs");
        *lock(&self.shared.written)
    }
}

impl Shared {
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut connection = 0;
        while let Ok((stream, _)) = listener.accept().await {
            if connection >= self.deaf_from.load(Ordering::SeqCst) {
                continue;
            }
            self.open.send_modify(|open| *open += 1);
            let shared = Arc::clone(&self);
            tokio::spawn(async move {
                // A client may leave whenever it likes.
                let _ = shared.serve(stream, connection).await;
                shared.open.send_modify(|open| *open -= 1);
            });
            connection += 1;
        }
    }

    async fn serve(&self, mut stream: TcpStream, connection: usize) -> std::io::Result<()> {
        let mut unread = BytesMut::new();
        while let Some(heard) = hear(&mut stream, &mut unread, connection).await? {
            lock(&self.heard).push(heard.clone());
            let reply = (self.script)(&heard);
            let listening = lock(&self.listening).take_if(|_| reply.stop_listening);
            if let Some(listening) = listening {
                listening.abort();
                let _ = listening.await;
            }
            let mut rest = reply.bytes.as_slice();
            while !rest.is_empty() {
                let written = stream.write(rest).await?;
                *lock(&self.written) += written;
                rest = rest.split_at(written).1;
            }
            match reply.then {
                Then::Listen => {}
                Then::Close => return Ok(()),
                Then::Silence => {
                    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
                }
                Then::Drip(byte) => loop {
                    stream.write_all(&[byte]).await?;
                    sleep(Duration::from_millis(5)).await;
                },
            }
        }
        Ok(())
    }
}

/// Asks for this much pathUSD for [`RECIPIENT`], for a request with this body digest, within so many seconds, in the
/// name of `shop.test`. No two demands are the same.
pub fn demand(amount: Amount, digest: Option<&str>, seconds: u64) -> Challenge {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    let offer = Offer {
        realm: "shop.test",
        request: &ChargeRequest::new(amount, PATH_USD, RECIPIENT.address, CHAIN_ID),
        expires_at: Some(now + seconds),
        digest,
        description: Some("a bargain"),
        opaque: [("number", number.as_str())].into(),
    };
    Challenge::issue(b"a secret", &offer).expect("a well-formed offer")
}

/// Reads one request with a body of a known length; `None` when the client has left.
async fn hear(
    stream: &mut TcpStream,
    unread: &mut BytesMut,
    connection: usize,
) -> std::io::Result<Option<Heard>> {
    let end = loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&unread.split_to(end)).into_owned();
    let mut heard = Heard { head, body: Vec::new(), connection };
    let length = heard.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    while unread.len() < length {
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    heard.body = unread.split_to(length).to_vec();
    Ok(Some(heard))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ScriptedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedServer").field("address", &self.address).finish_non_exhaustive()
    }
}
