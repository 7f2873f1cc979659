//! Any text as an `Accept-Payment` field: mpp-core and the grammar agree on how much each of some methods is wanted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::payee::accept_quality;
use mpp_core_fuzz::accept::quality;

fuzz_target!(|field: &str| {
    for (method, intent) in [("tempo", "charge"), ("tempo", "session"), ("stripe", "charge"), ("a", "b")] {
        let found = accept_quality(field, method, intent);
        assert_eq!(found, quality(field, method, intent), "{method}/{intent}");
    }
});
