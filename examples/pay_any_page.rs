//! Fetches a page that may cost up to five cents, and says what it cost.
//!
//!     KEY=0x… cargo run --example pay_any_page -- https://weather.example/paris

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example does")]

use bytes::Bytes;
use mpp_core::Policy;
use mpp_core::tempo::{self, LocalSigner};
use mpp_http::{Client, Money, Payment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which page? give its URL")?;
    let chain_id = std::env::var("CHAIN_ID").map_or(Ok(tempo::MAINNET), |id| id.parse())?;
    let signer = LocalSigner::from_hex(&std::env::var("KEY")?)?;
    let policy = Policy::new(chain_id, [tempo::PATH_USD, tempo::USDC_E], "0.05".parse()?);
    let client = Client::new(signer, policy);

    match client.send(http::Request::get(url).body(Bytes::new())?).await {
        Ok(mut answer) => {
            match answer.payment() {
                None => eprintln!("nothing was paid; the answer is {}", answer.status()),
                Some(payment) => eprintln!("it cost ${}, hash {:?}", payment.quote().amount, payment.hash()),
            }
            println!("{}", String::from_utf8_lossy(&answer.bytes().await?));
            Ok(())
        }
        Err(error) if error.money() == Money::NotMoved => Err(format!("no money moved: {error}").into()),
        Err(error) => {
            let hash =
                error.payment().and_then(Payment::hash).map(|hash| hash.to_string()).unwrap_or_default();
            Err(format!("{error}; before asking again look up the transaction {hash}").into())
        }
    }
}
