//! Any bytes as the JSON of a request: mpp-core and a naive reader see the same charge or none, and it is read back as
//! written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::error::{ChargeError, Fault};
use mpp_core::{Challenge, ChargeRequest};
use mpp_core_fuzz::charge::Charge;
use mpp_core_fuzz::json::{self, Json};
use mpp_core_fuzz::{base64, charge};

fuzz_target!(|data: &[u8]| {
    let challenge = match with_request(&base64::encode(data)) {
        Ok(challenge) => challenge,
        Err(fault) => {
            assert!(matches!(fault, Fault::Invalid { parameter: "request", .. }), "{fault}");
            assert!(data.is_empty() || data.len() > 12_288);
            return;
        }
    };
    let found = ChargeRequest::from_challenge(&challenge);
    let Some(request @ Json::Object(_)) = json::parse(data) else {
        assert!(matches!(found, Err(ChargeError::Request(_))), "{found:?}");
        return;
    };
    assert!(!matches!(found, Err(ChargeError::Request(_))), "{found:?} of {request:?}");
    assert_eq!(found.as_ref().ok().map(Charge::from), charge::read(&request), "{found:?} of {request:?}");
    let Ok(charge) = found else { return };
    let again = with_request(&charge.encode()).expect("our own encoding");
    assert_eq!(ChargeRequest::from_challenge(&again), Ok(charge));
});

fn with_request(request: &str) -> Result<Challenge, Fault> {
    let field = format!(r#"Payment id="i", realm="r", method="tempo", intent="charge", request="{request}""#);
    Challenge::parse_all([field]).remove(0).map_err(|error| error.fault)
}
