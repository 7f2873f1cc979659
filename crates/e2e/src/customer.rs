//! The payer under test: our client with one account, and a record of everything it signs and sends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::Address;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use mpp_core::tempo::{LocalSigner, SignFuture, Signer, Unsigned};
use mpp_core::{Credential, Policy};
use mpp_http::{Client, Error, ReqwestTransport, Response, SendFuture, Transport};

/// Our client on its usual transport, watched.
#[derive(Clone, Debug)]
pub struct Customer {
    client: Client,
    address: Address,
    signatures: Arc<AtomicUsize>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A request that left the client.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its method.
    pub method: Method,
    /// Where it went.
    pub uri: Uri,
    /// Its header fields, without those the transport adds.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Sent {
    /// The credential it carried.
    pub fn credential(&self) -> Option<Credential> {
        let value = self.headers.get("authorization").or(self.headers.get("payment-authorization"))?;
        Credential::parse(value.as_bytes()).ok()
    }
}

impl Customer {
    /// A customer with this private key, in hexadecimal, who pays what `policy` allows.
    pub fn new(key: &str, policy: Policy) -> Self {
        Self::with_signer(LocalSigner::from_hex(key).expect("a private key"), policy)
    }

    /// A customer whose payments `signer` signs.
    pub fn with_signer(signer: impl Signer + 'static, policy: Policy) -> Self {
        let address = signer.address();
        let signatures = Arc::new(AtomicUsize::new(0));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let signer = CountingSigner { signer, made: Arc::clone(&signatures) };
        let transport = ReqwestTransport::default();
        let transport = RecordingTransport { transport, sent: Arc::clone(&sent) };
        Self { client: Client::with_transport(signer, policy, transport), address, signatures, sent }
    }

    /// The same customer, the client's options changed.
    #[must_use]
    pub fn with(self, options: impl FnOnce(Client) -> Client) -> Self {
        Self { client: options(self.client), ..self }
    }

    /// The client itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The address that pays.
    pub fn address(&self) -> Address {
        self.address
    }

    /// How many signatures the signer was asked for so far.
    pub fn signatures(&self) -> usize {
        self.signatures.load(Ordering::SeqCst)
    }

    /// Every request that left so far, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a GET and pays for it if asked to.
    ///
    /// # Errors
    /// The client's own.
    pub async fn get(&self, url: &str) -> Result<Response, Error> {
        self.client.send(Request::get(url).body(Bytes::new()).expect("a URL")).await
    }

    /// Sends a POST of JSON and pays for it if asked to.
    ///
    /// # Errors
    /// The client's own.
    pub async fn post(&self, url: &str, body: &str) -> Result<Response, Error> {
        let request = Request::post(url).header("content-type", "application/json");
        self.client.send(request.body(body.to_owned().into()).expect("a URL")).await
    }
}

struct CountingSigner<S> {
    signer: S,
    made: Arc<AtomicUsize>,
}

impl<S: Signer> Signer for CountingSigner<S> {
    fn address(&self) -> Address {
        self.signer.address()
    }

    fn access_key(&self) -> Option<Address> {
        self.signer.access_key()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.signer.sign(payment)
    }
}

struct RecordingTransport {
    transport: ReqwestTransport,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Transport for RecordingTransport {
    fn send(&self, request: Request<Bytes>) -> SendFuture<'_> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(Sent {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body: request.body().clone(),
        });
        self.transport.send(request)
    }
}
