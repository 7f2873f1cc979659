//! Who may ask: what costs money must not be had by a page in this machine's browser, nor, where others can connect, by who
//! has no token.
//!
//! A page can send requests to any port of this machine. Its browser names the page in `Origin`, asks before it sends JSON,
//! and, where the page's own name was made to lead here, names that in `Host`: all three are looked at.

use std::net::IpAddr;

use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, Method, StatusCode};

use super::error::ApiError;
use super::form::is_form;
use super::order::EDITS;
use crate::failure::Failure;
use crate::token::Token;

/// What is asked of every request.
pub(super) struct Guard {
    token: Option<Token>,
    /// Whether only this machine can connect, so that no other host can be meant.
    loopback: bool,
}

impl Guard {
    /// Nobody else's machine is let in without a token.
    pub(super) fn new(token: Option<Token>, listen: IpAddr) -> Result<Self, Failure> {
        let loopback = listen.is_loopback();
        if token.is_none() && !loopback {
            return Err(Failure::usage(format!(
                "whoever reaches {listen} could spend this wallet's money: give --token-file FILE or set {VARIABLE}"
            )));
        }
        Ok(Guard { token, loopback })
    }

    /// Lets a request through, or says why not.
    pub(super) fn admit(&self, request: &Parts) -> Result<(), ApiError> {
        let field =
            |name: HeaderName| request.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        if field(ORIGIN).is_some() {
            let message = "requests of web pages are not answered, as they could spend money unasked";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message));
        }
        let host = request.uri.authority().map(Authority::as_str).or(field(HOST)).unwrap_or_default();
        if self.loopback && !is_loopback(host) {
            let message = "the request is for another host than localhost, which this is";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "host_not_allowed", message));
        }
        if self.token.as_ref().is_some_and(|token| !token.is_shown(&request.headers)) {
            let message = "the token is missing or wrong; give it as the client's API key";
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
        }
        let kind = field(CONTENT_TYPE).unwrap_or_default();
        let json =
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        let form = request.uri.path() == EDITS && is_form(kind);
        if request.method == Method::POST && !json && !form {
            let message =
                "the body must be application/json, or, for a picture that is to be changed, a form";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        Ok(())
    }
}

/// Whether a host, which may have a port, can only be this machine.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().map_or(name.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// Where the token is if no file is named.
pub(super) const VARIABLE: &str = "GROK_MPP_SERVE_TOKEN";

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(guard: &Guard, fields: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = axum::http::Request::post("/v1/responses");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        guard.admit(&request.body(()).unwrap().into_parts().0).err().map(|error| error.reply().status)
    }

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn only_this_machine_can_be_meant() {
        let guard = Guard::new(None, [127, 0, 0, 1].into()).unwrap();
        for host in ["localhost", "LOCALHOST:8402", "127.0.0.1:1", "127.8.8.8", "[::1]:8402"] {
            assert_eq!(admitted(&guard, &[("host", host), JSON]), None, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "a b",
        ] {
            assert_eq!(admitted(&guard, &[("host", host), JSON]), Some(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(admitted(&guard, &[JSON]), Some(StatusCode::FORBIDDEN));
    }

    #[test]
    fn a_page_is_refused_whatever_it_sends() {
        let guard = Guard::new(None, [127, 0, 0, 1].into()).unwrap();
        let host = ("host", "localhost");
        for origin in ["https://evil.example", "null", "http://localhost:3000"] {
            assert_eq!(admitted(&guard, &[host, JSON, ("origin", origin)]), Some(StatusCode::FORBIDDEN));
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
        {
            let refused = admitted(&guard, &[host, ("content-type", kind)]);
            assert_eq!(refused, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{kind}");
        }
    }

    #[test]
    fn a_token_is_needed_once_others_can_connect_and_has_to_be_right() {
        let token = || Token::new("0123456789abcdef");
        assert!(Guard::new(None, [0, 0, 0, 0].into()).is_err());
        let guard = Guard::new(token(), [0, 0, 0, 0].into()).unwrap();
        let with = |value: &str| admitted(&guard, &[("host", "any.example"), JSON, ("authorization", value)]);
        assert_eq!(with("Bearer 0123456789abcdef"), None);
        assert_eq!(with("bearer  0123456789abcdef"), None);
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdeF",
            "Basic 0123456789abcdef",
        ] {
            assert_eq!(with(value), Some(StatusCode::UNAUTHORIZED), "{value}");
        }
        let guard = Guard::new(token(), [127, 0, 0, 1].into()).unwrap();
        assert_eq!(admitted(&guard, &[("host", "localhost"), JSON]), Some(StatusCode::UNAUTHORIZED));
    }
}
