//! One payment from the payee's offer to the payer's receipt, byte by byte: first the payee, then the payer, then the
//! payee again. Every value is fixed, so whoever changes one of them changes this story.

use std::collections::BTreeMap;

use mpp_core::exchange::ACCEPT_PAYMENT;
use mpp_core::exchange::{Exchange, Next, Outcome};
use mpp_core::payee::{Offer, ProblemType, accept_quality, body_digest};
use mpp_core::tempo::{self, FeePayment, LocalSigner, Verified};
use mpp_core::{Amount, Challenge, ChargeRequest, Credential, Policy, Problem, Receipt};

use crate::support::{KEY, NOW, RECIPIENT};

/// Only the payee knows it.
const SECRET: &[u8] = b"a secret of the payee, at least 32 bytes long";
/// What the payer wants an answer to.
const BODY: &[u8] = br#"{"prompt":"Compute the factorial of 50 in Python."}"#;

#[test]
fn a_payment_from_offer_to_receipt() {
    // A request arrives without payment. It says what its sender could pay with.
    assert_eq!(accept_quality(ACCEPT_PAYMENT, "tempo", "charge"), 1000);

    // The payee asks for a cent, in pathUSD on mainnet, for this very body, within a minute.
    let cent = Amount::from_base_units(10_000);
    let recipient = RECIPIENT.parse().expect("an address");
    let request = ChargeRequest::new(cent, tempo::PATH_USD, recipient, tempo::MAINNET);
    let digest = body_digest(BODY);
    let offer = Offer {
        realm: "grok.example",
        request: &request,
        expires_at: Some(NOW + 60),
        digest: Some(&digest),
        description: Some("One run – “factorial”"),
        opaque: BTreeMap::from([("nonce", "5")]),
    };
    let issued = Challenge::issue(SECRET, &offer).expect("an offer that clients take");
    let www_authenticate = issued.encode();
    assert_eq!(www_authenticate, WWW_AUTHENTICATE);
    let problem = Problem::new(ProblemType::PaymentRequired, "A run costs one cent.", Some(issued.id()));
    assert_eq!(String::from_utf8(problem.encode()).expect("text"), PROBLEM);

    // The payer reads the 402. Its policy allows up to 50 cents and asks a person, who sees this and agrees.
    let policy =
        Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.50".parse().expect("dollars"))
            .realms(["grok.example"])
            .ask(|quote| {
                assert_eq!(quote.to_string(), QUOTE);
                mpp_core::Decision::Approve
            });
    let exchange = Exchange {
        method: "POST",
        body: Some(BODY),
        secure: true,
        has_authorization: false,
        policy: &policy,
    };
    let next = exchange.answered(402, [www_authenticate], NOW).expect("will be paid");
    let Next::Pay { approval, idempotency_key } = next else { panic!("nothing to pay") };
    assert!(idempotency_key, "POST is not safe to repeat");

    // It signs. Nothing was asked of any node: the nonce expires, gas and price are fixed, the salt is given.
    let signer = LocalSigner::from_hex(KEY).expect("a key");
    let unsigned = approval.prepare(signer.address(), NOW, 1_234_567_890);
    assert_eq!(unsigned.signing_hash().to_string(), SIGNING_HASH);
    let signature = signer.sign(&unsigned);
    let payment = unsigned.signed(&signature);
    assert_eq!(payment.hash().expect("known before it is sent").to_string(), HASH);
    assert_eq!(payment.valid_before(), Some(NOW + 25));
    assert_eq!(payment.credential().header_name(), "Authorization");
    let authorization = payment.credential().header_value();
    assert_eq!(authorization, AUTHORIZATION);

    // The payee reads the same request once more. The challenge is its own, is for this body, and is paid.
    let credential = Credential::parse(authorization.as_bytes()).expect("a credential");
    assert!(credential.challenge().is_bound_by(SECRET));
    assert_eq!(credential.challenge(), &issued);
    assert_eq!(credential.challenge().digest(), Some(digest.as_str()));
    let Ok(Verified::Transaction { payer, transaction, signed }) = credential.verify(tempo::MAINNET, NOW + 1)
    else {
        panic!("not paid");
    };
    assert_eq!(payer, signer.address());
    assert_eq!(transaction.fee, FeePayment::Sender(Some(tempo::PATH_USD)));
    assert_eq!(signed.raw().to_string(), RAW);

    // It broadcasts the transaction, which is mined, and answers with a receipt.
    let receipt = Receipt::new(signed.hash().expect("a hash").to_string(), NOW + 2, None).encode();
    assert_eq!(receipt, RECEIPT);

    // The payer checks that the receipt is for the transaction it signed.
    let Outcome::Paid(receipt) = payment.answered(200, Some(receipt.as_bytes())) else {
        panic!("not for this")
    };
    assert_eq!((receipt.hash(), receipt.timestamp()), (payment.hash(), "2027-01-15T08:00:02Z"));
}

const WWW_AUTHENTICATE: &str = r#"Payment id="maW_5c2Hh0wveZbgpah8Ma2zTJSgzbY6lf7FV2rm9kE", realm="grok.example", method="tempo", intent="charge", request="eyJhbW91bnQiOiIxMDAwMCIsImN1cnJlbmN5IjoiMHgyMGMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwibWV0aG9kRGV0YWlscyI6eyJjaGFpbklkIjo0MjE3LCJzdXBwb3J0ZWRNb2RlcyI6WyJwdWxsIl19LCJyZWNpcGllbnQiOiIweDc0MmQzNWNjNjYzNGMwNTMyOTI1YTNiODQ0YmM5ZTc1OTVmOGZlMDAifQ", expires="2027-01-15T08:01:00Z", digest="sha-256=:+5jIAgQB8BLphI6E9RV1aGvD0ArVFJBExc790PKBpzc=:", description="One run \u2013 \u201cfactorial\u201d", opaque="eyJub25jZSI6IjUifQ""#;
const PROBLEM: &str = r#"{"type":"https://paymentauth.org/problems/payment-required","title":"Payment Required","status":402,"detail":"A run costs one cent.","challengeId":"maW_5c2Hh0wveZbgpah8Ma2zTJSgzbY6lf7FV2rm9kE"}"#;
const QUOTE: &str = "\
    price      $0.01 (10000 base units)\n\
    token      pathUSD, 0x20C0000000000000000000000000000000000000\n\
    chain      4217\n\
    recipient  0x742d35Cc6634c0532925a3b844bC9e7595F8fE00 gets $0.01\n\
    fee        at most $0.025\n\
    expires    2027-01-15T08:01:00Z\n\
    realm      grok.example\n\
    says       One run – “factorial”";
const SIGNING_HASH: &str = "0xfbfb6faef3a4b01a07b82fbf4cae1819f34981a461b863a2c5b3389d43666e65";
const HASH: &str = "0xbf41bdc38756260e2be82727a5533bacaacce656ac858c70c58bbdf11f647af9";
const RAW: &str = "\
    0x76f90119821079843b9aca008505d21dba00830f4240f87ef87c9420c000000000000000000000000000000000000080b86495\
    777d59000000000000000000000000742d35cc6634c0532925a3b844bc9e7595f8fe000000000000000000000000000000000000\
    000000000000000000000000002710ef1ed71201a14078b0b6ea12e17d1000000000000000000000053a760087eda2c0a0ffffff\
    ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff80846b49d21984499602d39420c0000000000000000000\
    00000000000000000080c0b841c812e99928ac2b0d496988765e69229173eab929a49e6d76ce50679a25af1d281d68ae151bc417\
    293343a74f2cba30b33880242851ac792ef5a84dba0f6f4ef71c";
const AUTHORIZATION: &str = "\
    Payment eyJjaGFsbGVuZ2UiOnsiZGVzY3JpcHRpb24iOiJPbmUgcnVuIOKAkyDigJxmYWN0b3JpYWzigJ0iLCJkaWdlc3QiOiJzaGEt\
    MjU2PTorNWpJQWdRQjhCTHBoSTZFOVJWMWFHdkQwQXJWRkpCRXhjNzkwUEtCcHpjPToiLCJleHBpcmVzIjoiMjAyNy0wMS0xNVQwODow\
    MTowMFoiLCJpZCI6Im1hV181YzJIaDB3dmVaYmdwYWg4TWEyelRKU2d6Ylk2bGY3RlYycm05a0UiLCJpbnRlbnQiOiJjaGFyZ2UiLCJt\
    ZXRob2QiOiJ0ZW1wbyIsIm9wYXF1ZSI6ImV5SnViMjVqWlNJNklqVWlmUSIsInJlYWxtIjoiZ3Jvay5leGFtcGxlIiwicmVxdWVzdCI6\
    ImV5SmhiVzkxYm5RaU9pSXhNREF3TUNJc0ltTjFjbkpsYm1ONUlqb2lNSGd5TUdNd01EQXdNREF3TURBd01EQXdNREF3TURBd01EQXdN\
    REF3TURBd01EQXdNREF3TURBd0lpd2liV1YwYUc5a1JHVjBZV2xzY3lJNmV5SmphR0ZwYmtsa0lqbzBNakUzTENKemRYQndiM0owWldS\
    TmIyUmxjeUk2V3lKd2RXeHNJbDE5TENKeVpXTnBjR2xsYm5RaU9pSXdlRGMwTW1Rek5XTmpOall6TkdNd05UTXlPVEkxWVROaU9EUTBZ\
    bU01WlRjMU9UVm1PR1psTURBaWZRIn0sInBheWxvYWQiOnsic2lnbmF0dXJlIjoiMHg3NmY5MDExOTgyMTA3OTg0M2I5YWNhMDA4NTA1\
    ZDIxZGJhMDA4MzBmNDI0MGY4N2VmODdjOTQyMGMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwODBiODY0OTU3Nzdk\
    NTkwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA3NDJkMzVjYzY2MzRjMDUzMjkyNWEzYjg0NGJjOWU3NTk1ZjhmZTAwMDAwMDAwMDAwMDAw\
    MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMjcxMGVmMWVkNzEyMDFhMTQwNzhiMGI2ZWExMmUx\
    N2QxMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDUzYTc2MDA4N2VkYTJjMGEwZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm\
    ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZjgwODQ2YjQ5ZDIxOTg0NDk5NjAyZDM5NDIwYzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw\
    MDAwMDAwMDAwMDAwMDA4MGMwYjg0MWM4MTJlOTk5MjhhYzJiMGQ0OTY5ODg3NjVlNjkyMjkxNzNlYWI5MjlhNDllNmQ3NmNlNTA2Nzlh\
    MjVhZjFkMjgxZDY4YWUxNTFiYzQxNzI5MzM0M2E3NGYyY2JhMzBiMzM4ODAyNDI4NTFhYzc5MmVmNWE4NGRiYTBmNmY0ZWY3MWMiLCJ0\
    eXBlIjoidHJhbnNhY3Rpb24ifSwic291cmNlIjoiZGlkOnBraDplaXAxNTU6NDIxNzoweDE5RTdFMzc2RTdDMjEzQjdFN2U3ZTQ2Y2M3\
    MEE1ZEQwODZEQWZmMkEifQ";
const RECEIPT: &str = "\
    eyJtZXRob2QiOiJ0ZW1wbyIsInJlZmVyZW5jZSI6IjB4YmY0MWJkYzM4NzU2MjYwZTJiZTgyNzI3YTU1MzNiYWNhYWNjZTY1NmFjODU4\
    YzcwYzU4YmJkZjExZjY0N2FmOSIsInN0YXR1cyI6InN1Y2Nlc3MiLCJ0aW1lc3RhbXAiOiIyMDI3LTAxLTE1VDA4OjAwOjAyWiJ9";
