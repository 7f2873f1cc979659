//! This project's client with its defaults: payments are written down in memory.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use client::Task;
use mpp_core::tempo::LocalSigner;
use mpp_core::{Amount, Policy};
use mpp_http::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments()?;
    let policy = Policy::new(task.chain_id, [e2e::PATH_USD], Amount::from_base_units(10_000));
    let client = Client::new(LocalSigner::from_hex(&task.key)?, policy);
    let url: Arc<str> = task.url.as_str().into();
    task.run(move || {
        let (client, url) = (client.clone(), Arc::clone(&url));
        async move { pay(&client, &url).await.map_err(|error| error.to_string()) }
    })
    .await
}

/// The receipt.
async fn pay(client: &Client, url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut answer = client.send(http::Request::get(url).body(Bytes::new())?).await?;
    answer.bytes().await?;
    let receipt = answer.headers().get("payment-receipt").ok_or("no receipt")?;
    Ok(receipt.to_str()?.to_owned())
}
