//! Any JSON as a credential, or, if it does not begin with a brace, any bytes as the field: mpp-core and a naive reader
//! see the same credential or none, and it is read back as written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::Credential;
use mpp_core_fuzz::{base64, credential, header};

fuzz_target!(|data: &[u8]| {
    let field = match data {
        [b'{', ..] => format!("Payment {}", base64::encode(data)).into_bytes(),
        _ => data.to_vec(),
    };
    let found = Credential::parse(&field);
    let expected = credential::read(&field);
    assert_eq!(found.is_ok(), expected.is_some(), "{found:?} against {expected:?}");
    let (Ok(found), Some(expected)) = (found, expected) else { return };
    assert_eq!(header::Challenge::from(found.challenge()), expected.challenge);
    assert!(*found.payload() == expected.payload);
    assert_eq!(found.source(), expected.source);
    assert_eq!(found.header_name(), expected.challenge.credential_header);
    // Hexadecimal and base64url can be longer than what was read, the escapes of JSON shorter.
    match Credential::parse(found.header_value().as_bytes()) {
        Ok(again) => assert!(again == found),
        Err(error) => assert!(found.header_value().len() > 65_536, "{error}"),
    }
});
