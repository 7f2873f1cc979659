//! Requests on their way out: what is sent at all, and what the second time adds.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use mpp_core::error::SignerError;
use mpp_core::exchange::{ACCEPT_PAYMENT, Exchange};
use mpp_core::{Credential, Policy};

use crate::error::Error;
use crate::transport::is_private;

/// Refuses what must not be sent, and says what this client can pay with.
pub(crate) fn prepare(mut request: http::Request<Bytes>) -> Result<http::Request<Bytes>, Error> {
    let uri = request.uri();
    if uri.host().is_none() || ![Some("http"), Some("https")].contains(&uri.scheme_str()) {
        return Err(Error::Request("the address must be an absolute http or https URL"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::Request("the address must not hold a user name or password"));
    }
    if !is_private(uri) {
        return Err(Error::Request(
            "the address must be https, as payments cross it; http is for this machine alone",
        ));
    }
    let accept = HeaderValue::from_static(ACCEPT_PAYMENT);
    request.headers_mut().entry("accept-payment").or_insert(accept);
    Ok(request)
}

pub(crate) fn exchange<'a>(request: &'a http::Request<Bytes>, policy: &'a Policy) -> Exchange<'a> {
    Exchange {
        method: request.method().as_str(),
        body: Some(request.body()),
        secure: is_private(request.uri()),
        has_authorization: request.headers().contains_key(AUTHORIZATION),
        policy,
    }
}

/// The same request with the credential.
pub(crate) fn with_credential(
    mut request: http::Request<Bytes>,
    credential: &Credential,
) -> Result<http::Request<Bytes>, http::Error> {
    let name = HeaderName::from_bytes(credential.header_name().as_bytes())?;
    let mut value = HeaderValue::try_from(credential.header_value())?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(request)
}

/// Lets a server that knows the field see that a repeated request is the same (draft-httpauth-payment §11.4).
pub(crate) fn add_idempotency_key(request: &mut http::Request<Bytes>) -> Result<(), Error> {
    let [high, low]: [u64; 2] = [random()?, random()?].map(u64::from_ne_bytes);
    if let Ok(key) = HeaderValue::try_from(format!("\"{high:016x}{low:016x}\"")) {
        request.headers_mut().entry("idempotency-key").or_insert(key);
    }
    Ok(())
}

pub(crate) fn challenges(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(WWW_AUTHENTICATE).into_iter().map(HeaderValue::as_bytes)
}

pub(crate) fn random() -> Result<[u8; 8], Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::Signer(SignerError::new(error)))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(uri: &str) -> Result<http::Request<Bytes>, Error> {
        prepare(http::Request::get(uri).body(Bytes::new()).unwrap())
    }

    #[test]
    fn only_tls_and_loopback_are_private() {
        for uri in ["https://shop.example/", "http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]:80/"] {
            assert!(prepared(uri).is_ok(), "{uri}");
        }
        assert!(prepared("http://LOCALHOST/").is_ok());
        let refused = [
            "http://shop.example/",
            "http://127.0.0.1.shop.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://[::2]/",
            "https://user:password@shop.example/",
            "ftp://127.0.0.1/",
            "/relative",
        ];
        for uri in refused {
            assert!(matches!(prepared(uri), Err(Error::Request(_))), "{uri}");
        }
    }

    #[test]
    fn a_caller_s_own_preferences_are_kept() {
        let request = http::Request::get("https://shop.example/").header("Accept-Payment", "tempo/*;q=0.5");
        let request = prepare(request.body(Bytes::new()).unwrap()).unwrap();
        assert_eq!(request.headers().get_all("accept-payment").iter().collect::<Vec<_>>(), ["tempo/*;q=0.5"]);
    }
}
