//! What the seller asks: a table of prices, and from a checked request the one amount that its challenge names.

use mpp_core::Amount;

/// The prices of a gateway. Integers only: a hundredth of a base unit is 10⁻⁸ of a dollar, so that a price of one token
/// in hundredths is that of a million tokens in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Of one token, by model.
    pub tokens: Tariff<TokenPrice>,
    /// Of one image, in hundredths of a base unit, by model.
    pub images: Tariff<u64>,
    /// The model of an image when the request names none.
    pub image_model: String,
    /// Of one spoken character, in hundredths of a base unit.
    pub character: u64,
    /// What comes on top of each of these, in percent.
    pub margin: u64,
    /// What the least request costs, in base units.
    pub floor: u64,
    /// The tokens of an answer that are paid for when the request does not say.
    pub max_tokens: u64,
    /// The most tokens of a prompt for which the prices hold; longer ones are refused.
    pub longest_prompt: u64,
}

/// Prices by model: the first entry that fits counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff<P> {
    /// A model's name, or with a `*` at its end the beginning of several, and the price.
    pub listed: Vec<(String, P)>,
    /// The price of every other model; without one, they are not sold.
    pub others: Option<P>,
}

/// Prices of one token in hundredths of a base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPrice {
    /// Of what the model reads.
    pub input: u64,
    /// Of what it writes, hidden reasoning included.
    pub output: u64,
}

impl<P: Copy> Tariff<P> {
    pub(crate) fn of(&self, model: &str) -> Option<P> {
        let fits = |name: &str| match name.strip_suffix('*') {
            Some(start) => model.starts_with(start),
            None => model == name,
        };
        self.listed.iter().find(|(name, _)| fits(name)).map(|(_, price)| *price).or(self.others)
    }
}

impl Prices {
    /// What the tokens cost at most; rebates for unused ones there are none.
    pub(crate) fn of_tokens(&self, price: TokenPrice, prompt: u64, answer: u128) -> Amount {
        let prompt = u128::from(prompt).saturating_mul(price.input.into());
        self.amount(prompt.saturating_add(answer.saturating_mul(price.output.into())))
    }

    /// What so many pieces of one price cost.
    pub(crate) fn of_pieces(&self, price: u64, pieces: u64) -> Amount {
        self.amount(u128::from(price).saturating_mul(pieces.into()))
    }

    /// Hundredths with the margin on top, as whole base units: rounded down, but the floor at least.
    fn amount(&self, hundredths: u128) -> Amount {
        let percent = u128::from(self.margin).saturating_add(100);
        let units = hundredths.saturating_mul(percent) / (100 * 100);
        Amount::from_base_units(units.max(self.floor.into()))
    }
}

impl Default for Prices {
    /// What xAI asks, and 15 % on top; a tenth of a cent at least. Retired names cost what answers for them costs,
    /// unknown ones as much as the dearest.
    fn default() -> Self {
        let token = |input, output| TokenPrice { input, output };
        let middle = MIDDLE.map(|name| (name.to_owned(), token(125, 250)));
        let small = SMALL.map(|name| (name.to_owned(), token(100, 200)));
        Prices {
            tokens: Tariff {
                listed: middle.into_iter().chain(small).collect(),
                others: Some(token(200, 600)),
            },
            images: Tariff { listed: vec![(IMAGE_MODEL.to_owned(), 2_000_000)], others: Some(7_000_000) },
            image_model: IMAGE_MODEL.to_owned(),
            character: 1500,
            margin: 15,
            floor: 1000,
            max_tokens: 4096,
            longest_prompt: 200_000,
        }
    }
}

const MIDDLE: [&str; 5] = ["grok-4.3", "grok-4.20-*", "grok-4-0709", "grok-4-1-fast-*", "grok-3"];
const SMALL: [&str; 2] = ["grok-build-0.1", "grok-code-fast-1"];
const IMAGE_MODEL: &str = "grok-imagine-image";
