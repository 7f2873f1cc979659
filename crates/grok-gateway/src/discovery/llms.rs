//! `GET /llms.txt`: the same for those who read: what there is, what it costs, and how to pay.

use std::fmt::Write as _;

use mpp_gate::Payee;

use super::openapi::price;
use crate::catalog::{Route, Unit};
use crate::price::{Prices, Tariff};

/// The text for the routes that are offered.
pub(crate) fn text(offered: &[Route], payee: &Payee, prices: &Prices) -> String {
    let mut text = format!(
        "# Grok at {}\n\n> Grok, paid per request over the Machine Payments Protocol (MPP): no account, no key.\n\n\
         ## Routes\n\n",
        payee.realm
    );
    // Writing to a string does not fail.
    for route in offered {
        let fields: Vec<String> = route
            .fields()
            .iter()
            .map(|field| format!("{}{}", field.name, if field.required { "*" } else { "" }))
            .collect();
        let _ = writeln!(text, "- POST {}: {} Fields: {}.", route.path(), route.about(), fields.join(", "));
        let _ = writeln!(text, "  Price: {}", price(*route, prices));
    }
    text.push_str(
        "- GET /openapi.json: every field and answer, by schema.\n- GET /payments/{reference}: what became of a payment, and of \
         its refund.\n- GET /health\n\n* is required. Requests and answers \
         are JSON; a good answer is {\"success\":true,\"data\":…}, or with stream: true server-sent events as they come. A \
         bad request is refused before any payment.\n\n",
    );
    for unit in [Unit::Tokens, Unit::Images, Unit::Characters] {
        if offered.iter().any(|route| std::mem::discriminant(&route.unit()) == std::mem::discriminant(&unit))
        {
            text.push_str(&table(&unit, prices));
        }
    }
    let _ = write!(
        text,
        "## Paying\n\n1. Send the request. The answer is 402 with a challenge: WWW-Authenticate: Payment, method tempo, \
         intent charge. Its amount, in base units (a millionth of a dollar) of the token {}, is the whole price.\n\
         2. Check it against your limit, sign the transfer, and send the same request, byte for byte, with \
         Authorization: Payment and the credential.\n3. The answer is 200 with a Payment-Receipt. Never pay again because \
         a paid request failed or its answer was lost: the same request with the same credential gets the answer it paid \
         for, and what fails is refunded; GET /payments/{{reference}} tells how far that is.\n",
        payee.currency
    );
    text
}

fn table(unit: &Unit, prices: &Prices) -> String {
    match unit {
        Unit::Tokens => rows(
            "Dollars for a million tokens of prompt and answer",
            prices.margin,
            &prices.tokens,
            // Hundredths of a base unit a token are cents a million tokens.
            |price| format!("{} and {}", decimal(price.input, 2), decimal(price.output, 2)),
        ),
        Unit::Images => {
            rows("Dollars for an image", prices.margin, &prices.images, |price| decimal(*price, 8))
        }
        Unit::Characters => format!(
            "## Dollars for 1,000 characters, before {} %\n\n- {}\n\n",
            prices.margin,
            decimal(prices.character.saturating_mul(1000), 8)
        ),
    }
}

fn rows<P>(title: &str, margin: u64, tariff: &Tariff<P>, price: impl Fn(&P) -> String) -> String {
    let listed = tariff.listed.iter().map(|(name, of)| format!("- {name}: {}\n", price(of)));
    let others = tariff.others.iter().map(|of| format!("- any other: {}\n", price(of)));
    format!("## {title}, before {margin} %\n\n{}\n", listed.chain(others).collect::<String>())
}

/// A number of so many decimal places, without the zeros at its end beyond cents.
fn decimal(number: u64, places: usize) -> String {
    let digits = format!("{number:0>width$}", width = places.saturating_add(1));
    let (whole, rest) = digits.split_at(digits.len().saturating_sub(places));
    let rest = rest.trim_end_matches('0');
    format!("{whole}.{rest:0<2}")
}
