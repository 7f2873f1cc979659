//! `budget`: each limit and what is left of it, for each token, and how much of what counts as spent is not settled yet.

use mpp_core::Amount;
use mpp_core::tempo::{MAINNET, MODERATO, token_name};
use mpp_http::ledger::{Currency, Ledger as _, Standing};
use serde_json::json;

use crate::args;
use crate::books::{Books, currencies, now};
use crate::failure::Failure;
use crate::output::{self, chain_name};
use crate::payment;

/// What may still be spent of one token.
struct Token {
    currency: Currency,
    standing: Vec<Standing>,
    open: Open,
}

/// The payments of a token that the chain has not had the last word on.
struct Open {
    count: usize,
    /// What they count.
    sum: Amount,
    /// Whether there are others, which were not looked at.
    or_more: bool,
}

/// Shows what is left.
pub(crate) async fn budget(args: &args::Budget) -> Result<(), Failure> {
    let books = Books::look(&args.ledger, &args.limits).await?;
    let open = books.ledger.payments(None, PAGE, true).await?;
    let or_more = u32::try_from(open.len()).is_ok_and(|count| count >= PAGE);
    let latest = books.ledger.payments(None, PAGE, false).await?;
    let mut tokens = Vec::new();
    for currency in currencies(args.chain_id, latest.iter().chain(&open)) {
        let standing = books.budget.standing(&*books.ledger, currency, now()).await?;
        let open: Vec<_> = open.iter().filter(|payment| payment.currency() == currency).collect();
        let sum = open.iter().try_fold(Amount::ZERO, |sum, payment| sum.checked_add(payment.counted()));
        let sum = sum.unwrap_or(Amount::from_base_units(u128::MAX));
        tokens.push(Token { currency, standing, open: Open { count: open.len(), sum, or_more } });
    }
    let printed = if args.json { as_json(&books, &tokens) } else { as_text(args, &books, &tokens) };
    output::printed(printed, None)
}

fn as_json(books: &Books, tokens: &[Token]) -> std::io::Result<()> {
    output::print_json(&json!({
        "ledger": books.place,
        "tokens": tokens.iter().map(|Token { currency, standing, open }| json!({
            "chain_id": currency.chain_id,
            "token": currency.token,
            "name": token_name(currency.token, currency.chain_id),
            "limits": standing.iter().map(payment::standing).collect::<Vec<_>>(),
            "open": {
                "payments": open.count,
                "amount": output::base_units(open.sum),
                "or_more": open.or_more,
            },
        })).collect::<Vec<_>>(),
    }))
}

fn as_text(args: &args::Budget, books: &Books, tokens: &[Token]) -> std::io::Result<()> {
    let mut lines = vec![format!("ledger       {}", books.place)];
    for Token { currency, standing, open } in tokens {
        if standing.is_empty() && open.count == 0 {
            continue;
        }
        let token = token_name(currency.token, currency.chain_id)
            .map_or_else(|| currency.token.to_string(), str::to_owned);
        let chain = match currency.chain_id {
            known @ (MAINNET | MODERATO) => chain_name(known),
            other => format!("chain {other}"),
        };
        lines.push(format!("token        {token} on {chain}"));
        lines.extend(standing.iter().map(|standing| format!("left         {}", payment::left_of(standing))));
        lines.extend(not_settled(open));
    }
    if books.budget.limits().is_empty() {
        let file = args.ledger.config.path();
        let file = file.map_or("a config file".to_owned(), |file| file.display().to_string());
        lines.push(format!("no limits: give --max-per-day DOLLARS, or write into {file}"));
        lines.push("    [budget]\n    day = \"5\"".to_owned());
    }
    output::print_text(&lines.join("\n"))
}

fn not_settled(open: &Open) -> Option<String> {
    let Open { count, sum, or_more } = open;
    let what = match (count, or_more) {
        (0, _) => return None,
        (count, true) => format!("{count} or more payments"),
        (1, false) => format!("1 payment, at most ${sum}"),
        (count, false) => format!("{count} payments, at most ${sum}"),
    };
    Some(format!("not settled  {what}; grok-mpp reconcile finds out"))
}

/// Most payments looked at, however many there are.
const PAGE: u32 = 100;
