//! A middleware for reqwest that pays a `402` once, by `mpp_core::exchange` alone.
//!
//!     KEY=0x… cargo run --example reqwest_middleware -- https://weather.example/paris

use std::{fs::File, io::Write as _};

use http::Extensions;
use mpp_core::{Policy, exchange, tempo};
use reqwest::{Request, Response, header::HeaderValue};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Pays what `policy` allows, once it is written down in `record`.
pub(crate) struct Pay {
    pub(crate) signer: Box<dyn tempo::Signer>,
    pub(crate) policy: Policy,
    pub(crate) record: File,
}

/// Why there is no answer, and where the money is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("no money moved: {0}")]
    NotPaid(BoxError),
    #[error("a payment was sent (memo {0:?}), its outcome is {1:?}: {2}")]
    Sent(Option<tempo::B256>, Box<exchange::Outcome>, BoxError),
}

impl Pay {
    /// A client that pays. It follows no redirect, to which a credential would go too.
    pub(crate) fn client(self, client: reqwest::ClientBuilder) -> reqwest::Result<ClientWithMiddleware> {
        let client = client.redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never());
        Ok(ClientBuilder::new(client.build()?).with(self).build())
    }
}

#[async_trait::async_trait]
impl Middleware for Pay {
    async fn handle(&self, mut request: Request, more: &mut Extensions, next: Next<'_>) -> Result<Response> {
        request.headers_mut().insert("accept-payment", HeaderValue::from_static(exchange::ACCEPT_PAYMENT));
        // What streams can be sent but once, so that nobody can pay for it.
        let Some(mut again) = request.try_clone() else { return next.run(request, more).await };
        let answer = next.clone().run(request, more).await.map_err(|error| not_paid(error.without_url()))?;

        let now = std::time::UNIX_EPOCH.elapsed().map_err(not_paid)?.as_secs();
        let unpaid = exchange::Exchange {
            method: again.method().as_str(),
            body: Some(again.body().and_then(|body| body.as_bytes()).unwrap_or_default()),
            secure: exchange::is_secure(Some(again.url().scheme()), again.url().host_str()),
            has_authorization: again.headers().contains_key("authorization"),
            policy: &self.policy.clone().push(false),
        };
        let asked = answer.headers().get_all("www-authenticate");
        let decision = unpaid.answered(answer.status().as_u16(), asked, now).map_err(not_paid)?;
        let exchange::Next::Pay { approval, idempotency_key } = decision else { return Ok(answer) };

        // The one signature. It is on disk before a byte of it leaves.
        let random = getrandom::u64().map_err(not_paid)?;
        let payment = approval.sign(&*self.signer, now, random).await.map_err(not_paid)?;
        (&self.record).write_all(format!("{payment:?}\n").as_bytes()).map_err(not_paid)?;
        self.record.sync_data().map_err(not_paid)?;
        // The same request once more, with the payment.
        let mut credential = HeaderValue::try_from(payment.credential().header_value()).map_err(not_paid)?;
        credential.set_sensitive(true);
        again.headers_mut().insert(payment.credential().header_name(), credential);
        if idempotency_key {
            let key = format!("\"{random:x}\"").try_into().map_err(not_paid)?;
            again.headers_mut().insert("idempotency-key", key);
        }
        let failed = |outcome, cause| Failed::Sent(payment.memo(), Box::new(outcome), cause);
        let sent = |outcome, cause| Error::middleware(failed(outcome, cause));
        let lost = |error: Error| sent(exchange::Outcome::Unknown, error.without_url().into());
        let mut answer = next.run(again, more).await.map_err(lost)?;
        let (status, receipt) = (answer.status(), answer.headers().get("payment-receipt"));
        let outcome = payment.answered(status.as_u16(), receipt.map(HeaderValue::as_bytes));
        if !status.is_success() {
            return Err(sent(outcome, status.to_string().into()));
        }
        answer.extensions_mut().insert(outcome);
        Ok(answer)
    }
}

fn not_paid(error: impl Into<BoxError>) -> Error {
    Error::middleware(Failed::NotPaid(error.into()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), BoxError> {
    let signer = Box::new(tempo::LocalSigner::from_hex(&std::env::var("KEY")?)?);
    let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.05".parse()?);
    let record = File::options().append(true).create(true).open("payments.log")?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "TLS is set up already")?;
    let client = Pay { signer, policy, record }.client(reqwest::Client::builder())?;
    let url = std::env::args().nth(1).ok_or("which page? give its URL")?;
    Ok(std::io::stdout().write_all(&client.get(url).send().await?.bytes().await?)?)
}
