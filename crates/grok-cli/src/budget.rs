//! `budget`: each limit and what is left of it, for each token, and how much of what counts as spent is not settled yet.

use mpp_core::Amount;
use mpp_core::tempo::{MAINNET, PATH_USD, USDC_E};
use mpp_http::ledger::{Currency, Standing};
use serde_json::json;

use crate::args;
use crate::books::{Books, now};
use crate::config;
use crate::failure::Failure;
use crate::output;
use crate::payment;

/// What may still be spent of one token.
struct Token {
    name: &'static str,
    currency: Currency,
    standing: Vec<Standing>,
    /// How many payments the chain has not had the last word on, and what they count.
    open: (usize, Amount),
}

/// Shows what is left.
pub(crate) async fn budget(args: &args::Budget) -> Result<(), Failure> {
    let books = Books::open(&args.books, &args.limits).await?;
    let open = books.open_payments().await?;
    let names = [("pathUSD", PATH_USD), ("USDC.e", USDC_E)];
    let known = if args.chain_id == MAINNET { names.len() } else { 1 };
    let mut tokens = Vec::new();
    for (name, token) in names.into_iter().take(known) {
        let currency = Currency { chain_id: args.chain_id, token };
        let standing = books.budget.standing(&*books.ledger, currency, now()).await?;
        let open: Vec<_> = open.iter().filter(|payment| payment.currency() == currency).collect();
        let sum = open.iter().try_fold(Amount::ZERO, |sum, payment| sum.checked_add(payment.counted()));
        let sum = sum.unwrap_or(Amount::from_base_units(u128::MAX));
        tokens.push(Token { name, currency, standing, open: (open.len(), sum) });
    }
    let printed = if args.json { as_json(args, &books, &tokens) } else { as_text(args, &books, &tokens) };
    output::printed(printed, None)
}

fn as_json(args: &args::Budget, books: &Books, tokens: &[Token]) -> std::io::Result<()> {
    output::print_json(&json!({
        "ledger": books.place,
        "chain_id": args.chain_id,
        "tokens": tokens.iter().map(|token| json!({
            "name": token.name,
            "token": token.currency.token,
            "limits": token.standing.iter().map(payment::standing).collect::<Vec<_>>(),
            "open": { "payments": token.open.0, "amount": output::base_units(token.open.1) },
        })).collect::<Vec<_>>(),
    }))
}

fn as_text(args: &args::Budget, books: &Books, tokens: &[Token]) -> std::io::Result<()> {
    let mut lines = vec![format!("ledger       {}", books.place), format!("chain        {}", args.chain_id)];
    for Token { name, standing, open: (count, sum), .. } in tokens {
        if !standing.is_empty() || *count > 0 {
            lines.push(format!("token        {name}"));
        }
        lines.extend(standing.iter().map(payment::left_line));
        if *count > 0 {
            let payments = if *count == 1 { "payment" } else { "payments" };
            lines.push(format!(
                "not settled  ${sum} at most, in {count} {payments}; grok-mpp reconcile finds out"
            ));
        }
    }
    if books.budget.limits().is_empty() {
        let file = args.books.config.clone().or_else(config::default_path);
        let file = file.map_or("a config file".to_owned(), |file| file.display().to_string());
        lines.push(format!("no limits: give --max-per-day DOLLARS, or write into {file}"));
        lines.push("    [budget]\n    day = \"5\"".to_owned());
    }
    output::print_text(&lines.join("\n"))
}
