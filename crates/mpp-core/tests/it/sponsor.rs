//! The payee pays the fee: what a sponsor signs, byte for byte as the deployed ones do, and what it does not sign.

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use mpp_core::error::{SponsorRefusal, TransactionError, VerifyError};
use mpp_core::payee::{Sponsor, SponsorLimits};
use mpp_core::tempo::{self, LocalSigner, PATH_USD, Payload, SignedTransaction, Transaction, Verified};
use mpp_core::{Amount, Challenge, Credential, Receipt};
use serde_json::json;

use crate::raw::{self, ACCESS_LIST, FEE_TOKEN, item, list};
use crate::support::{self, KEY, NOW, challenge, charge, pay, policy, text, vectors};

/// The key of the vectors' sponsor.
const SPONSOR: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";

fn sponsor() -> Sponsor {
    Sponsor::new(LocalSigner::from_hex(SPONSOR).expect("a key"), PATH_USD)
}

fn sponsored() -> Challenge {
    let mut request = charge();
    request["methodDetails"]["feePayer"] = json!(true);
    challenge(&request)
}

fn verify(raw: &[u8]) -> Result<Verified, VerifyError> {
    let payload = json!({ "type": "transaction", "signature": hex::encode_prefixed(raw) });
    let authorization = raw::authorization(&sponsored(), &payload, None);
    Credential::parse(authorization.as_bytes()).expect("a credential").verify(tempo::MAINNET, NOW)
}

/// The honest transaction after `change`, signed by its payer and read by the payee.
fn changed(change: impl FnOnce(&mut Transaction)) -> Verified {
    let payment = pay(&policy(), sponsored());
    let Payload::Transaction(raw) = payment.credential().payload() else { panic!("no transaction") };
    let (_, mut transaction, _) = SignedTransaction::decode(raw).expect("a transaction");
    change(&mut transaction);
    verify(&raw::signed(&transaction)).expect("pays")
}

fn refused(change: impl FnOnce(&mut Transaction)) -> SponsorRefusal {
    sponsor().cosign(&changed(change), NOW).expect_err("refused")
}

/// RFC 6979 makes signatures exact, so the hash that a published server's receipt names can only be that of its bytes.
#[test]
fn cosigned_transactions_are_those_that_published_servers_had_mined() {
    let key = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6";
    let sponsor = Sponsor::new(LocalSigner::from_hex(key).expect("a key"), PATH_USD);
    let mut count = 0;
    for recording in support::list(&vectors("captures.json")) {
        let name = ["client", "server", "case"].map(|part| text(&recording[part])).join(" ");
        let at = recording["captured_at"].as_u64().expect("a time");
        for exchange in support::list(&recording["exchanges"]) {
            let Some(sent) = exchange["authorization"].as_str() else { continue };
            let verified = Credential::parse(sent.as_bytes()).expect(&name).verify(31337, at).expect(&name);
            let cosigned = sponsor.cosign(&verified, at);
            let Verified::Transaction { signed, .. } = &verified else {
                assert_eq!(cosigned.map(drop), Err(SponsorRefusal::NotSponsored), "{name}");
                continue;
            };
            if signed.hash().is_some() {
                assert_eq!(cosigned.map(drop), Err(SponsorRefusal::NotSponsored), "{name}");
                continue;
            }
            let receipt = Receipt::parse(text(&exchange["receipt"]).as_bytes()).expect(&name);
            let cosigned = cosigned.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            assert_eq!(cosigned.hash(), receipt.hash(), "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 6);
}

#[test]
fn a_payment_is_cosigned_the_same_way_every_time() {
    let payment = changed(|_| ());
    let first = sponsor().cosign(&payment, NOW).expect("signed");
    assert_eq!(first, sponsor().cosign(&payment, NOW + 5).expect("signed"));
    assert_eq!((first.raw()[0], first.hash()), (0x76, Some(keccak256(first.raw()))));
    let other = Sponsor::new(LocalSigner::from_hex(SPONSOR).expect("a key"), tempo::USDC_E);
    assert_eq!((sponsor().token(), other.token()), (PATH_USD, tempo::USDC_E));
    assert_ne!(first, other.cosign(&payment, NOW).expect("signed"), "the token is signed too");
    // From the envelope and from the chain's own spelling of a request to a sponsor: the same transaction.
    let Payload::Transaction(envelope) = pay(&policy(), sponsored()).credential().payload().clone() else {
        panic!("no transaction")
    };
    assert_eq!(first, sponsor().cosign(&verify(&envelope).expect("pays"), NOW).expect("signed"));
}

#[test]
fn a_sponsor_signs_up_to_its_limits_and_no_further() {
    let limits = SponsorLimits::default();
    let within = |change: &dyn Fn(&mut Transaction)| sponsor().cosign(&changed(change), NOW).map(drop);
    let gas = |gas_limit, max_fee_per_gas| {
        within(&|it| (it.gas_limit, it.max_fee_per_gas) = (gas_limit, max_fee_per_gas))
    };
    assert_eq!(gas(2_000_000, 25_000_000_000), Ok(()));
    let asked = 2_000_001;
    assert_eq!(gas(asked, 1_000_000_000), Err(SponsorRefusal::Gas { asked, allowed: limits.gas }));
    let ceiling = Amount::from_base_units(50_001);
    assert_eq!(gas(2_000_000, 25_000_000_001), Err(SponsorRefusal::Fee { ceiling, allowed: limits.fee }));
    assert_eq!(gas(500_000, 100_000_000_000), Ok(()));
    let asked = 100_000_000_001;
    let price = SponsorRefusal::Price { asked, allowed: limits.max_fee_per_gas };
    assert_eq!(gas(1, asked), Err(price));
    assert_eq!(
        gas(2_000_000, u128::MAX),
        Err(SponsorRefusal::Price { asked: u128::MAX, allowed: 100_000_000_000 })
    );

    let priority = |fee| within(&|it| it.max_priority_fee_per_gas = fee);
    assert_eq!(priority(10_000_000_000), Ok(()));
    let allowed = limits.max_priority_fee_per_gas;
    let asked = allowed + 1;
    assert_eq!(priority(asked), Err(SponsorRefusal::PriorityFee { asked, allowed }));
    assert_eq!(
        gas(1, 999_999_999),
        Err(SponsorRefusal::PriorityFee { asked: 1_000_000_000, allowed: 999_999_999 })
    );

    let (least, longest) = (limits.least_validity, limits.longest_validity);
    for (left, signed) in [(least - 1, false), (least, true), (longest, true), (longest + 1, false)] {
        let expected = if signed { Ok(()) } else { Err(SponsorRefusal::Validity { left, least, longest }) };
        assert_eq!(within(&|it| it.valid_before = Some(NOW + left)), expected, "{left}");
    }
    let late = sponsor().cosign(&changed(|_| ()), NOW + 26).map(drop);
    assert_eq!(
        late,
        Err(SponsorRefusal::Validity { left: 0, least, longest }),
        "signed in time, read too late"
    );
    let strict = SponsorLimits { gas: 999_999, ..limits };
    let refusal = sponsor().limits(strict).cosign(&changed(|_| ()), NOW).map(drop);
    assert_eq!(refusal, Err(SponsorRefusal::Gas { asked: 1_000_000, allowed: 999_999 }));
}

#[test]
fn a_sponsor_signs_neither_its_own_payments_nor_those_of_others_fees() {
    let own = Sponsor::new(LocalSigner::from_hex(KEY).expect("a key"), PATH_USD);
    assert_eq!(own.cosign(&changed(|_| ()), NOW).map(drop), Err(SponsorRefusal::OwnPayment));
    let unsponsored = pay(&policy(), challenge(&charge()));
    let mut nothing = charge();
    nothing["amount"] = json!("0");
    let proof = pay(&policy().realms(["api.example.com"]), challenge(&nothing));
    for payment in [unsponsored, proof] {
        let verified = payment.credential().verify(tempo::MAINNET, NOW).expect("pays");
        assert_eq!(sponsor().cosign(&verified, NOW).map(drop), Err(SponsorRefusal::NotSponsored));
    }
    let pushed = Verified::Hash(B256::ZERO);
    assert_eq!(sponsor().cosign(&pushed, NOW).map(drop), Err(SponsorRefusal::NotSponsored));
}

/// Every rejection that the vectors list, by whichever step refuses it first.
#[test]
fn what_published_sponsors_reject_is_rejected() {
    let conformance = &vectors("tempo.json")["fee_payer_cosign_conformance"];
    let honest = pay(&policy(), sponsored()).transaction().expect("a transaction").raw().clone();
    let (_, honest, _) = SignedTransaction::decode(&honest).expect("a transaction");
    let unverified = |change: &dyn Fn(&mut Transaction)| {
        let mut transaction = honest.clone();
        change(&mut transaction);
        verify(&raw::signed(&transaction)).expect_err("refused")
    };
    let field = |at: usize, value: Vec<u8>| {
        let mut fields = raw::fields(&honest);
        fields[at] = value;
        let signature = raw::signature(&fields);
        verify(&raw::with_signature(&fields, &signature)).expect_err("refused")
    };
    let not = |name| VerifyError::Transaction(TransactionError::Field(name));
    let mut rejections = support::list(&conformance["rejections"]).iter().map(text);
    let mut next = || rejections.next().expect("one more");
    assert_eq!(next(), "no matching payment call found (plain transfer / wrong memo)");
    let missing = VerifyError::MissingTransfer { index: 0 };
    for memo in ["wrong_challenge_memo", "unrelated_challenge_memo", "unrelated_realm_memo"] {
        let memo = support::bytes(&conformance[memo]);
        let other =
            |it: &mut Transaction| it.calls[0].input = [&it.calls[0].input[..68], &memo[..]].concat().into();
        assert_eq!(unverified(&other), missing);
    }
    let plain = |it: &mut Transaction| {
        it.calls[0].input = [&hex!("a9059cbb")[..], &it.calls[0].input[4..68]].concat().into();
    };
    assert_eq!(unverified(&plain), missing);
    assert_eq!(next(), "contains unauthorized extra calls");
    assert_eq!(unverified(&|it| it.calls.push(it.calls[0].clone())), VerifyError::ForeignCall);
    assert_eq!(next(), "gas limit exceeds sponsor policy (2000001)");
    let gas = refused(|it| it.gas_limit = 2_000_001);
    assert_eq!(gas, SponsorRefusal::Gas { asked: 2_000_001, allowed: 2_000_000 });
    assert_eq!(next(), "must not include fee_token");
    assert_eq!(field(FEE_TOKEN, item(PATH_USD.as_slice())), not("fee_payer_signature"));
    assert_eq!(next(), "must use expiring nonce key");
    for (lane, nonce) in [(U256::ZERO, 0), (U256::MAX - U256::ONE, 0), (U256::MAX, 1)] {
        assert_eq!(refused(|it| (it.nonce_key, it.nonce) = (lane, nonce)), SponsorRefusal::Nonce);
    }
    assert_eq!(next(), "validity window exceeds sponsor policy (now+1800)");
    let end = Some(NOW + 1800);
    let window = VerifyError::Window { valid_before: end, now: NOW };
    assert_eq!(unverified(&|it| it.valid_before = end), window, "longer than the challenge");
    assert_eq!(next(), "access list is not allowed");
    let entry = list(&[item(Address::ZERO.as_slice()), list(&[])]);
    assert_eq!(field(ACCESS_LIST, list(&[entry])), not("access_list"));
    assert_eq!(rejections.next(), None::<&str>);
}

#[test]
fn a_sponsor_prints_its_address_and_not_its_key() {
    let printed = format!("{:?}", sponsor());
    assert!(printed.contains(&format!("{:?}", sponsor().address())), "{printed}");
    assert!(!printed.contains("2222222222"), "{printed}");
}
