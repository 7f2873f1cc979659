//! Signs a payment without any network: reads the values of a response's `WWW-Authenticate` fields from standard input, a
//! line each, prints the terms on standard error and the value of the `Authorization` field on standard output.
//!
//!     curl -si https://weather.example/paris | sed -n 's/^www-authenticate: //Ip' | KEY=0x… cargo run --example sign_offline
//!
//! What is printed on standard output is as good as the money.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example does")]

use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use mpp_core::Policy;
use mpp_core::exchange::{Exchange, Next};
use mpp_core::tempo::{self, LocalSigner};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut fields = String::new();
    std::io::stdin().read_to_string(&mut fields)?;

    // The core has no clock and no randomness of its own.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let salt = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &fields);

    let signer = LocalSigner::from_hex(&std::env::var("KEY")?)?;
    let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.05".parse()?);
    let request =
        Exchange { method: "GET", body: Some(b""), secure: true, has_authorization: false, policy: &policy };

    match request.answered(402, fields.lines().map(str::trim), now)? {
        Next::Deliver => unreachable!("a 402 is never delivered"),
        Next::Pay { approval, .. } => {
            eprintln!("{}", approval.quote());
            let unsigned = approval.prepare(signer.address(), now, salt);
            let signature = signer.sign(&unsigned);
            let payment = unsigned.signed(&signature);
            eprintln!("hash       {:?}", payment.hash());
            println!("{}", payment.credential().header_value());
            Ok(())
        }
    }
}
