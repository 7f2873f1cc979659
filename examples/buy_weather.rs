//! Buys a page, such as the weather that `sell_weather` sells, with the protocol's core alone: on an HTTP client that
//! knows nothing of payments and could be any other. The steps are those that `mpp_http::Client::send` takes.
//!
//!     KEY=0x… CHAIN_ID=31337 cargo run -p mpp-core --example buy_weather -- http://127.0.0.1:8405/paris

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example does")]

use std::fs::File;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use mpp_core::Policy;
use mpp_core::exchange::{ACCEPT_PAYMENT, Exchange, Next, Outcome, is_secure};
use mpp_core::tempo::{self, LocalSigner};
use ureq::Agent;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Fetches `url` and pays for it once, if it is asked to and `policy` allows it; says what came of it in `journal`.
pub(crate) fn buy(
    url: &str,
    signer: &LocalSigner,
    policy: &Policy,
    journal: &mut File,
) -> Result<String, BoxError> {
    // A client for payments follows no redirect, as a credential is for one server, and repeats nothing by itself.
    let agent: Agent = Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();

    // 1. The request as it is.
    let mut answer = agent.get(url).header("accept-payment", ACCEPT_PAYMENT).call()?;

    // 2. The decision. Only the policy makes an approval, and there is one at most. It is made only where nobody else can
    // read the credential; this client speaks no TLS, so that is on this machine.
    let to: ureq::http::Uri = url.parse()?;
    let secure = is_secure(to.scheme_str(), to.host());
    let unpaid = Exchange { method: "GET", body: Some(b""), secure, has_authorization: false, policy };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let fields = answer.headers().get_all("www-authenticate");
    let approval = match unpaid.answered(answer.status().as_u16(), fields, now)? {
        Next::Deliver => return Ok(answer.body_mut().read_to_string()?),
        Next::Pay { approval, .. } => approval,
    };

    // 3. The one signature. The salt tells two payments of the same terms apart; any number that differs will do.
    let salt = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now);
    let unsigned = approval.prepare(signer.address(), now, salt);
    let signature = signer.sign(&unsigned);
    let payment = unsigned.signed(&signature);

    // 4. Written down before it is sent: if this dies now, or the answer is lost, the chain can be asked about the hash.
    writeln!(journal, "${} by {:?}, {url}", payment.quote().amount, payment.hash())?;
    journal.sync_all()?;

    // 5. The same request once more, with the credential.
    let credential = payment.credential();
    let request = agent.get(url).header("accept-payment", ACCEPT_PAYMENT);
    let mut answer = request.header(credential.header_name(), credential.header_value()).call()?;

    // 6. What the answer says of the money, whatever its status.
    let receipt = answer.headers().get("payment-receipt").map(|value| value.as_bytes());
    let outcome = payment.answered(answer.status().as_u16(), receipt);
    let body = answer.body_mut().read_to_string()?;
    match outcome {
        Outcome::Paid(receipt) => writeln!(journal, "  paid at {}", receipt.timestamp())?,
        Outcome::Accepted => writeln!(journal, "  answered without a receipt")?,
        Outcome::WrongReceipt(wrong) => writeln!(journal, "  answered, but the receipt {wrong}")?,
        Outcome::Unknown => {
            writeln!(journal, "  unknown, ask the chain before paying again")?;
            return Err(format!("{}: {body}", answer.status()).into());
        }
    }
    Ok(body)
}

fn main() -> Result<(), BoxError> {
    let url = std::env::args().nth(1).ok_or("which page? give its URL")?;
    let chain_id = std::env::var("CHAIN_ID")?.parse()?;
    let signer = LocalSigner::from_hex(&std::env::var("KEY")?)?;
    let policy = Policy::new(chain_id, [tempo::PATH_USD], "0.01".parse()?);
    let mut journal = File::options().create(true).append(true).open("payments.txt")?;
    print!("{}", buy(&url, &signer, &policy, &mut journal)?);
    eprintln!("what it cost is in payments.txt");
    Ok(())
}
