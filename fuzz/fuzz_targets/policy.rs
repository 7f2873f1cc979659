//! Any policy and any challenge: a payment is approved exactly when every rule that a slow reader checks allows it, and
//! what is then to be signed moves the approved amounts to the approved recipients and nothing else.
//!
//! The lines, mostly of words: [`Terms`] as `numbers`, tokens, recipients, and realms, where `*` is any; the parameters
//! of the challenge but its request; the request's JSON. What is left is the body.

#![no_main]

use alloy_primitives::{U256, keccak256};
use libfuzzer_sys::fuzz_target;
use mpp_core::tempo::{Address, B256, FeePayment, Fees, Transaction};
use mpp_core::{Amount, Approval, Challenge, ChargeRequest, Decision, Policy};
use mpp_core_fuzz::charge::Charge;
use mpp_core_fuzz::words::Words;
use mpp_core_fuzz::{base64, charge, json, rlp};
use sha2::{Digest, Sha256};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(7, |byte| *byte == b'\n').chain(std::iter::repeat(&b""[..]));
    let mut line = || lines.next().unwrap_or_default();
    let terms = Terms::read(Words::new(line()), [(); 3].map(|()| Words::new(line())));
    let (parameters, request, body) = (line(), line(), line());
    let request_parameter = base64::encode(request);
    let field = [b"Payment ", parameters, b", request=\"", request_parameter.as_bytes(), b"\""].concat();
    let Some(Ok(challenge)) = Challenge::parse_all([field]).pop() else { return };

    let approval = terms.policy().approve(challenge.clone(), body, terms.now);
    let charge = json::parse(request).and_then(|request| charge::read(&request));
    // Somebody's own request, where the parameters held one.
    let charge = match challenge.request() == request_parameter {
        true => charge,
        false => ChargeRequest::from_challenge(&challenge).ok().as_ref().map(Charge::from),
    };
    let tempo = challenge.method() == "tempo" && challenge.intent() == "charge";
    let charge = charge.filter(|charge| tempo && terms.allow(&challenge, charge, body));
    assert_eq!(approval.is_ok(), charge.is_some(), "{approval:?} by {terms:?}");
    if let (Ok(approval), Some(charge)) = (approval, charge) {
        terms.check(approval, &challenge, &charge);
    }
});

/// What may be paid, and when.
#[derive(Debug)]
struct Terms {
    chain_id: u64,
    cap: u128,
    max_fee: u128,
    validity: u64,
    fees: Fees,
    now: u64,
    salt: u64,
    push: bool,
    declined: bool,
    tokens: Vec<Address>,
    recipients: Option<Vec<Address>>,
    realms: Option<Vec<String>>,
}

impl Terms {
    fn read(mut numbers: Words<'_>, [tokens, recipients, realms]: [Words<'_>; 3]) -> Self {
        Terms {
            chain_id: numbers.read(),
            cap: numbers.read(),
            max_fee: numbers.read(),
            validity: numbers.read(),
            fees: Fees {
                gas_first_transfer: numbers.read(),
                gas_further_transfer: numbers.read(),
                gas_sponsored_at_most: numbers.read(),
                max_fee_per_gas: numbers.read(),
                max_priority_fee_per_gas: numbers.read(),
            },
            now: numbers.read(),
            salt: numbers.read(),
            push: numbers.word() == "push",
            declined: numbers.word() == "declined",
            tokens: addresses(&listed(tokens).unwrap_or_default()),
            recipients: listed(recipients).as_deref().map(addresses),
            realms: listed(realms),
        }
    }

    fn policy(&self) -> Policy {
        let answer = if self.declined { Decision::Decline } else { Decision::Approve };
        let policy = Policy::new(self.chain_id, self.tokens.clone(), Amount::from_base_units(self.cap))
            .max_fee(Amount::from_base_units(self.max_fee))
            .max_validity(self.validity)
            .fees(self.fees)
            .push(self.push)
            .ask(move |_| answer);
        let policy = match &self.recipients {
            Some(recipients) => policy.recipients(recipients.clone()),
            None => policy,
        };
        match &self.realms {
            Some(realms) => policy.realms(realms.clone()),
            None => policy,
        }
    }

    /// Whether the payer wants this paid. The input is too short for a challenge that no server would read.
    fn allow(&self, challenge: &Challenge, charge: &Charge, body: &[u8]) -> bool {
        let nothing = charge.total == 0;
        let realm = match &self.realms {
            Some(realms) => realms.iter().any(|realm| realm == challenge.realm()),
            None => !nothing,
        };
        let known = |to| self.recipients.as_ref().is_none_or(|recipients| recipients.contains(to));
        let pays_fee = !charge.fee_payer && !nothing;
        let ended = challenge.expires_at().is_some_and(|end| end < self.now.saturating_add(5));
        let push_only = charge.modes == (false, true) && !nothing;
        charge.chain_id.is_none_or(|chain| chain == self.chain_id)
            && self.tokens.contains(&charge.currency)
            && charge.total <= self.cap
            && charge.transfers.iter().all(|(to, ..)| known(to))
            && realm
            && !ended
            && challenge.digest().is_none_or(|digest| is_digest(digest, body))
            // A limit of all there is is none.
            && (!pays_fee || self.within_fee(self.gas(charge)) || self.max_fee == u128::MAX)
            && (!push_only || self.push && !charge.fee_payer)
            && !self.declined
    }

    fn gas(&self, charge: &Charge) -> u64 {
        let further = self.fees.gas_further_transfer.saturating_mul(charge.transfers.len() as u64 - 1);
        let gas = self.fees.gas_first_transfer.saturating_add(further);
        if charge.fee_payer { gas.min(self.fees.gas_sponsored_at_most) } else { gas }
    }

    /// Whether so much gas costs no more than the payer wants to pay in fees.
    fn within_fee(&self, gas: u64) -> bool {
        let most = U256::from(self.max_fee) * U256::from(10_u64.pow(12));
        U256::from(gas) * U256::from(self.fees.max_fee_per_gas) <= most
    }

    /// Checks what is to be signed.
    fn check(&self, approval: Approval, challenge: &Challenge, charge: &Charge) {
        assert_eq!(approval.challenge(), challenge);
        assert_eq!(Charge::from(approval.charge()), *charge);
        let quote = approval.quote().clone();
        let quoted = quote.transfers.iter().map(|it| (it.to, it.amount.base_units(), it.memo));
        assert!(quoted.eq(charge.transfers.iter().copied()));
        assert_eq!((quote.amount.base_units(), quote.token), (charge.total, charge.currency));
        assert!(quote.fee_ceiling.base_units() <= self.max_fee);

        let payer = Address::repeat_byte(0x19);
        let unsigned = approval.prepare(payer, self.now, self.salt);
        let Some(transaction) = unsigned.transaction() else {
            assert_eq!(charge.total, 0);
            return;
        };
        assert_eq!(unsigned.signing_hash(), keccak256(rlp::to_sign(transaction)));
        self.check_transaction(transaction, challenge, charge);
        let moved = transaction.calls.iter().map(|call| (call.to, charge::transfer(&call.input)));
        let memo = charge.transfers[0].2.unwrap_or_else(|| attribution(challenge));
        let asked = charge.transfers.iter().enumerate().map(|(at, (to, amount, own))| {
            (charge.currency, Some((*to, *amount, if at == 0 { Some(memo) } else { *own })))
        });
        assert!(moved.eq(asked), "{transaction:?} for {charge:?}");
        let sum = charge.transfers.iter().try_fold(0_u128, |sum, (_, amount, _)| sum.checked_add(*amount));
        assert_eq!(sum, Some(charge.total));
    }

    /// Checks where, when and at what fee it can happen.
    fn check_transaction(&self, transaction: &Transaction, challenge: &Challenge, charge: &Charge) {
        assert_eq!(transaction.chain_id, self.chain_id);
        assert_eq!((transaction.nonce_key, transaction.nonce), (U256::MAX, 0));
        assert_eq!(transaction.gas_limit, self.gas(charge));
        assert_eq!(transaction.max_fee_per_gas, self.fees.max_fee_per_gas);
        let fee = match charge.fee_payer {
            true => FeePayment::Sponsor,
            false => FeePayment::Sender(Some(charge.currency)),
        };
        assert_eq!(transaction.fee, fee);
        let end = transaction.valid_before.expect("an end");
        assert!(end <= self.now.saturating_add(self.validity.clamp(1, 30)), "{transaction:?}");
        assert!(challenge.expires_at().is_none_or(|expires| end <= expires), "{transaction:?}");
        assert!(end > self.now || self.now == u64::MAX, "{transaction:?}");
        // Nobody's clock shows the first hour of 1970.
        let start = transaction.valid_after.expect("a start");
        assert!(start <= self.now || self.now <= 3600, "{transaction:?}");
    }
}

/// The words of a line; none for a star.
fn listed(words: Words<'_>) -> Option<Vec<String>> {
    let words: Vec<_> = words.rest().map(str::to_owned).collect();
    (words != ["*"]).then_some(words)
}

fn addresses(words: &[String]) -> Vec<Address> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

/// `sha-256=:<base64>:`, or without the colons.
fn is_digest(digest: &str, body: &[u8]) -> bool {
    let value = digest.strip_prefix("sha-256=").expect("a digest");
    let bare = value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).unwrap_or(value);
    base64::decode(bare, b"+/").is_some_and(|digest| digest == Sha256::digest(body)[..])
}

/// The memo that ties a transfer to its challenge, as deployed.
fn attribution(challenge: &Challenge) -> B256 {
    let tag = &keccak256("mpp")[..4];
    let (realm, id) = (keccak256(challenge.realm()), keccak256(challenge.id()));
    B256::from_slice(&[tag, &[1], &realm[..10], &[0; 10], &id[..7]].concat())
}
