//! Any bytes as a problem document: mpp-core and a naive reader see the same, cut to what a terminal can bear, and it is
//! read back as written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::Problem;
use mpp_core_fuzz::json::{self, Json};
use mpp_core_fuzz::text::printable;

fuzz_target!(|data: &[u8]| {
    let found = Problem::parse(data);
    let body = json::parse(&data[..data.len().min(65_536)]).filter(|body| matches!(body, Json::Object(_)));
    let text = |member| match body.as_ref()?.get(member) {
        Some(Json::String(text)) => Some(printable(text, 400)),
        _ => None,
    };
    let [kind, title, detail] = ["type", "title", "detail"].map(text);
    let Some(found) = found else {
        assert_eq!([kind, title, detail], [None, None, None]);
        return;
    };
    assert!(kind.is_some() || title.is_some() || detail.is_some(), "{found:?}");
    let status = match body.as_ref().and_then(|body| body.get("status")) {
        Some(Json::Natural(status)) => u16::try_from(*status).unwrap_or(0),
        _ => 0,
    };
    let kind = kind.unwrap_or_else(|| "about:blank".to_owned());
    let [title, detail] = [title, detail].map(Option::unwrap_or_default);
    assert_eq!((found.kind(), found.detail(), found.status()), (&*kind, &*detail, status));
    let shown = match [title.is_empty(), detail.is_empty()] {
        [true, true] => kind,
        [true, false] | [false, true] => title + &detail,
        [false, false] => format!("{title}: {detail}"),
    };
    assert_eq!(found.to_string(), shown);
    assert_eq!(Problem::parse(&found.encode()), Some(found));
});
