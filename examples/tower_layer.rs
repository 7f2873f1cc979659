//! A tower layer that pays a `402` once, by `mpp_core::exchange` alone, over any service that follows no redirects.
//!
//!     KEY=0x… cargo run --example tower_layer -- https://weather.example/paris

use std::{fs::File, io::Write as _, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use mpp_core::exchange::{self, Exchange, Next, Outcome};
use mpp_core::{Policy, tempo};
use mpp_http::{ReqwestTransport, Transport as _};
use tower::{BoxError, Layer, Service, ServiceExt as _, service_fn, util::BoxCloneService};

/// Pays what `policy` allows, once it is written down in `record`.
#[derive(Clone)]
pub(crate) struct Pay {
    pub(crate) signer: Arc<dyn tempo::Signer>,
    pub(crate) policy: Policy,
    pub(crate) record: Arc<File>,
}

/// Why there is no answer, and where the money is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no money moved: {0}")]
    NotPaid(BoxError),
    #[error("a payment was sent (memo {0:?}), its outcome is {1:?}: {2}")]
    Sent(Option<tempo::B256>, Box<Outcome>, BoxError),
}

impl<S: Clone + Send + 'static, B: Send + 'static> Layer<S> for Pay
where
    S: Service<Request<Bytes>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
{
    type Service = Boxed<B, Error>;

    fn layer(&self, service: S) -> Self::Service {
        let (pay, service) = (self.clone(), service.map_err(Into::into).boxed_clone());
        service_fn(move |request| send(pay.clone(), service.clone(), request)).boxed_clone()
    }
}

type Boxed<B, E = BoxError> = BoxCloneService<Request<Bytes>, Response<B>, E>;

async fn send<B>(pay: Pay, service: Boxed<B>, mut request: Request<Bytes>) -> Result<Response<B>, Error> {
    request.headers_mut().insert("accept-payment", HeaderValue::from_static(exchange::ACCEPT_PAYMENT));
    let answer = service.clone().oneshot(request.clone()).await.map_err(not_paid)?;

    let now = std::time::UNIX_EPOCH.elapsed().map_err(not_paid)?.as_secs();
    let unpaid = Exchange {
        method: request.method().as_str(),
        body: Some(request.body()),
        secure: exchange::is_secure(request.uri().scheme_str(), request.uri().host()),
        has_authorization: request.headers().contains_key("authorization"),
        policy: &pay.policy.push(false),
    };
    let next = unpaid.answered(answer.status().as_u16(), answer.headers().get_all("www-authenticate"), now);
    let Next::Pay { approval, idempotency_key } = next.map_err(not_paid)? else { return Ok(answer) };

    // The one signature. It is on disk before a byte of it leaves.
    let random = getrandom::u64().map_err(not_paid)?;
    let payment = approval.sign(&*pay.signer, now, random).await.map_err(not_paid)?;
    pay.record.as_ref().write_all(format!("{payment:?}\n").as_bytes()).map_err(not_paid)?;
    pay.record.sync_data().map_err(not_paid)?;
    // The same request once more, with the payment.
    let mut credential = HeaderValue::try_from(payment.credential().header_value()).map_err(not_paid)?;
    credential.set_sensitive(true);
    request.headers_mut().insert(payment.credential().header_name(), credential);
    if idempotency_key {
        let key = format!("\"{random:x}\"").try_into().map_err(not_paid)?;
        request.headers_mut().insert("idempotency-key", key);
    }
    let sent = |outcome, cause| Error::Sent(payment.memo(), Box::new(outcome), cause);
    let mut answer = service.oneshot(request).await.map_err(|error| sent(Outcome::Unknown, error))?;
    let (status, receipt) = (answer.status(), answer.headers().get("payment-receipt"));
    let outcome = payment.answered(status.as_u16(), receipt.map(HeaderValue::as_bytes));
    if !status.is_success() {
        return Err(sent(outcome, status.to_string().into()));
    }
    answer.extensions_mut().insert(outcome);
    Ok(answer)
}

fn not_paid(error: impl Into<BoxError>) -> Error {
    Error::NotPaid(error.into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let signer = Arc::new(tempo::LocalSigner::from_hex(&std::env::var("KEY")?)?);
    let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.05".parse()?);
    let record = Arc::new(File::options().append(true).create(true).open("payments.log")?);
    let transport: &ReqwestTransport = Box::leak(Box::default());
    let client = Pay { signer, policy, record }.layer(service_fn(|request| transport.send(request)));
    let url = std::env::args().nth(1).ok_or("which page? give its URL")?;
    let answer = client.oneshot(Request::get(url).body(Bytes::new())?).await?;
    Ok(std::io::stdout().write_all(&answer.into_body().collect().await?.to_bytes())?)
}
