//! Who asks: the address at the other end of the connection or, behind proxies that are trusted, the one that the first
//! of them saw.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName};

/// The address of who asks. Each proxy adds whom it heard from at the end of `X-Forwarded-For`, so with `proxies` of
/// them the address is that many from the end; whatever stands before it, the client may have written itself. Where the
/// field is shorter, somebody went past them, and `peer` is all that is known.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, proxies: usize) -> IpAddr {
    let Some(before) = proxies.checked_sub(1) else { return peer.to_canonical() };
    let fields = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = fields.flat_map(|field| field.split(',')).map(str::trim).collect();
    let hop = hops.iter().rev().nth(before).and_then(|hop| hop.parse::<IpAddr>().ok());
    hop.unwrap_or(peer).to_canonical()
}

/// What counts as one place: of version 6, everybody has a whole network of 64 bits.
pub(crate) fn place(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str], proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(FORWARDED, field.parse().unwrap());
        }
        address([127, 0, 0, 1].into(), &headers, proxies).to_string()
    }

    #[test]
    fn a_forwarded_address_is_believed_only_of_trusted_proxies() {
        assert_eq!(of(&["9.9.9.9"], 0), "127.0.0.1");
        assert_eq!(of(&["9.9.9.9"], 1), "9.9.9.9");
        assert_eq!(of(&["6.6.6.6, 9.9.9.9"], 1), "9.9.9.9");
        assert_eq!(of(&["6.6.6.6", "9.9.9.9,10.0.0.1"], 2), "9.9.9.9");
        assert_eq!(of(&["::ffff:9.9.9.9"], 1), "9.9.9.9");
        for (fields, proxies) in [(&[][..], 1), (&["9.9.9.9"], 2), (&["nonsense"], 1), (&[""], 1)] {
            assert_eq!(of(fields, proxies), "127.0.0.1");
        }
    }

    #[test]
    fn a_network_of_version_6_is_one_place() {
        let place = |text: &str| place(text.parse().unwrap()).to_string();
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(place("9.9.9.9"), "9.9.9.9");
    }
}
