//! From the header of a 402 to the value of `Authorization`, by this project and by the published Rust SDK; and the one
//! signature that both need, by two libraries.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use k256::ecdsa::SigningKey;
use mpp::client::tempo::charge::tx_builder::{TempoTxOptions, build_charge_credential, build_tempo_tx};
use mpp::client::tempo::charge::{SignOptions, TempoCharge};
use mpp::client::tempo::signing::{TempoSigningMode, sign_and_encode};
use mpp::client::tempo::{MAX_FEE_PER_GAS, MAX_PRIORITY_FEE_PER_GAS};
use mpp::{Address, PrivateKeySigner, U256};
use mpp_core::tempo::{self, LocalSigner};
use mpp_core::{Challenge, Credential, Policy};
use secp256k1::{Message, Secp256k1, SecretKey, SignOnly};
use tempo_primitives::transaction::Call;

use crate::Outcome;

const KEY: [u8; 32] = [0x11; 32];
const HASH: [u8; 32] = [0x22; 32];
/// A transfer with a memo takes less; what is not used is not charged.
const GAS_LIMIT: u64 = 500_000;
const VALIDITY: u64 = 25;
/// `transferWithMemo(address,uint256,bytes32)`.
const TRANSFER_WITH_MEMO: [u8; 4] = [0x95, 0x77, 0x7d, 0x59];

/// One key, in every library's form.
pub(super) struct Payer {
    field: String,
    policy: Policy,
    signer: LocalSigner,
    mpp: PrivateKeySigner,
    k256: SigningKey,
    libsecp256k1: (Secp256k1<SignOnly>, SecretKey),
}

impl Payer {
    /// Makes sure that all three ways pay the challenge in `field`.
    pub(super) fn new(field: &str) -> Outcome<Self> {
        let payer = Payer {
            field: field.to_owned(),
            policy: Policy::new(tempo::MAINNET, [tempo::USDC_E], "0.50".parse()?),
            signer: LocalSigner::from_bytes(&KEY)?,
            mpp: PrivateKeySigner::from_slice(&KEY)?,
            k256: SigningKey::from_slice(&KEY)?,
            libsecp256k1: (Secp256k1::signing_only(), SecretKey::from_byte_array(KEY)?),
        };
        for value in [payer.ours(), payer.mpp(), payer.mpp_by_hand()] {
            Credential::parse(value.as_bytes())?.verify(tempo::MAINNET, now())?;
        }
        Ok(payer)
    }

    pub(super) fn ours(&self) -> String {
        let challenge = Challenge::parse_all([black_box(&self.field)]).remove(0).expect("a challenge");
        let now = now();
        let approval = self.policy.approve(challenge, b"", now).expect("approved");
        let unsigned = approval.prepare(self.signer.address(), now, 7);
        let signature = self.signer.sign(&unsigned);
        unsigned.signed(&signature).credential().header_value()
    }

    pub(super) fn mpp(&self) -> String {
        let challenge = self.challenge();
        let charge = TempoCharge::from_challenge(&challenge).expect("a charge");
        let options = SignOptions { gas_limit: Some(GAS_LIMIT), ..Default::default() };
        let signed = at_once(charge.sign_with_options(&self.mpp, options)).expect("signed");
        mpp::format_authorization(&signed.into_credential()).expect("a value")
    }

    pub(super) fn mpp_by_hand(&self) -> String {
        let challenge = self.challenge();
        let charge = TempoCharge::from_challenge(&challenge).expect("a charge");
        let transaction = build_tempo_tx(TempoTxOptions {
            calls: vec![transfer(&charge)],
            chain_id: charge.chain_id(),
            fee_token: charge.currency(),
            nonce: 0,
            nonce_key: U256::MAX,
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: MAX_FEE_PER_GAS,
            max_priority_fee_per_gas: MAX_PRIORITY_FEE_PER_GAS,
            fee_payer: false,
            valid_before: Some(now() + VALIDITY),
            key_authorization: None,
        });
        let signed = sign_and_encode(transaction, &self.mpp, &TempoSigningMode::Direct).expect("signed");
        let payer: Address = self.mpp.address();
        let credential = build_charge_credential(&challenge, &signed, charge.chain_id(), payer);
        mpp::format_authorization(&credential).expect("a value")
    }

    fn challenge(&self) -> mpp::PaymentChallenge {
        mpp::parse_www_authenticate_all([black_box(self.field.as_str())]).remove(0).expect("a challenge")
    }

    pub(super) fn bare(&self) -> impl Sized + use<> {
        self.k256.sign_prehash_recoverable(black_box(&HASH))
    }

    pub(super) fn libsecp256k1(&self) -> impl Sized + use<> {
        let (library, key) = &self.libsecp256k1;
        library.sign_ecdsa_recoverable(Message::from_digest(black_box(HASH)), key)
    }
}

fn transfer(charge: &TempoCharge) -> Call {
    let (to, amount) = (charge.recipient().into_word(), charge.amount().to_be_bytes::<32>());
    let memo = charge.memo().expect("a memo");
    let input = [&TRANSFER_WITH_MEMO[..], to.as_slice(), &amount, &memo].concat();
    Call { to: charge.currency().into(), value: U256::ZERO, input: input.into() }
}

/// What comes of a future that waits for nothing, as is so where no node is asked.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}
