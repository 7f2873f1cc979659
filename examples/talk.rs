//! Talks with Grok about each argument in turn, prints answers as they come, and spends at most a dollar a day on it.
//!
//!     KEY=0x… cargo run --example talk -- "Name a prime above 100." "And the next one?"

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example does")]

use std::io::Write as _;

use grok_mpp::{Conversation, Grok};
use mpp_core::Policy;
use mpp_core::tempo::{LocalSigner, MAINNET, PATH_USD, USDC_E};
use mpp_http::Client;
use mpp_http::ledger::{Budget, Window};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::new(MAINNET, [PATH_USD, USDC_E], "0.05".parse()?);
    let client = Client::new(LocalSigner::from_hex(&std::env::var("KEY")?)?, policy);
    // In a ledger that outlasts the program, mpp_http::ledger::SqlLedger, the day would outlast it, too.
    let grok = Grok::with_client(client.budget(Budget::new().per(Window::Day, "1".parse()?)));

    let mut talk = Conversation::new();
    for question in std::env::args().skip(1) {
        talk.ask(question);
        let mut stream = grok.chat(&talk).max_tokens(512).stream().await?;
        while let Some(event) =
            stream.next().await.inspect_err(|error| eprintln!("money: {:?}", error.money()))?
        {
            print!("{}", event.text());
            std::io::stdout().flush()?;
        }
        let answer = stream.so_far();
        println!("\n(${})", answer.cost().unwrap_or_default());
        talk.append(&answer);
    }
    Ok(())
}
