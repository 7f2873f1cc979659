//! Whether the upstream is there.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// The status that a URL is answered with, whatever else is said there.
pub(crate) async fn status(url: &str) -> Result<StatusCode, String> {
    let sent = client()?.get(url).send().await;
    sent.map(|answer| answer.status()).map_err(|error| error.without_url().to_string())
}

fn client() -> Result<reqwest::Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| error.to_string())?
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build();
    client.map_err(|error| error.to_string())
}

const PATIENCE: Duration = Duration::from_secs(10);
