//! The published Rust SDK's automatic client, as its documentation has it. Its chain is pinned, which saves it a question to
//! its node, and what it may pay is limited as ours is.

use std::error::Error;
use std::sync::Arc;

use client::Task;
use mpp::PrivateKeySigner;
use mpp::client::{Fetch as _, TempoProvider};
use reqwest::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments()?;
    let signer: PrivateKeySigner = task.key.parse()?;
    let provider = TempoProvider::new(signer, &task.rpc)?
        .with_expected_chain_id(task.chain_id)
        .with_currencies([e2e::PATH_USD.to_string()])
        .with_max_amount("0.01", 6)?;
    let payer = Arc::new((Client::new(), provider, task.url.clone()));
    task.run(move || {
        let payer = Arc::clone(&payer);
        async move {
            let (client, provider, url) = &*payer;
            pay(client, provider, url).await.map_err(|error| error.to_string())
        }
    })
    .await
}

/// The receipt.
async fn pay(
    client: &Client,
    provider: &TempoProvider,
    url: &str,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let request = client.get(url).header("Accept-Payment", "tempo/charge");
    let answer = request.send_with_payment(provider).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.text().await?;
    if !status.is_success() {
        return Err(format!("{status}: {body}").into());
    }
    Ok(headers.get("payment-receipt").ok_or("no receipt")?.to_str()?.to_owned())
}
