//! Buys one answer for which Grok runs Python, for at most ten cents.
//!
//!     KEY=0x… cargo run --example ask_grok -- "What is the 1000th prime?"

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example does")]

use grok_mpp::Grok;
use mpp_core::Policy;
use mpp_core::tempo::{LocalSigner, MAINNET, PATH_USD, USDC_E};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prompt = std::env::args().nth(1).ok_or("what is the question?")?;
    let policy = Policy::new(MAINNET, [PATH_USD, USDC_E], "0.10".parse()?);
    let grok = Grok::new(LocalSigner::from_hex(&std::env::var("KEY")?)?, policy);

    let question = grok.code_execution(prompt).max_tokens(512);
    if let Some(price) = question.quote().await? {
        eprintln!("{}", price.quote);
    }
    let answer = question.send().await.inspect_err(|error| eprintln!("money: {:?}", error.money()))?;

    println!("{}", answer.text());
    for run in answer.executions() {
        eprintln!("ran:\n{}\nwhich printed:\n{}", run.code, run.output);
    }
    if let Some(payment) = answer.payment() {
        eprintln!("paid ${}, hash {:?}", payment.quote().amount, payment.hash());
    }
    Ok(())
}
