//! What a server may do with one request, at random: a demand, an answer in any framing, a receipt or none, and an end to
//! the connection at any byte.

use e2e::{Heard, PATH_USD, Reply, SECOND_SPLIT_RECIPIENT, Then};
use mpp_core::tempo::USDC_E;
use mpp_core::{Amount, Receipt};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use crate::demand::{CENT, asks, plain, with};
use crate::thief;

/// One answer, or what comes in place of one.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    interim: Vec<u16>,
    status: u16,
    demands: Vec<Demand>,
    receipts: Vec<Word>,
    fields: Vec<&'static str>,
    length: Length,
    /// A whole answer that nobody asked for, behind this one.
    early: bool,
    /// Where it breaks off.
    cut: Option<Index>,
    end: Then,
    stop_listening: bool,
}

/// A `WWW-Authenticate` field.
#[derive(Clone, Copy, Debug)]
enum Demand {
    Fresh,
    /// The same for every request.
    Same,
    Cheaper(u128),
    Dearer,
    OtherToken,
    OtherChain,
    Split,
    Sponsored,
    /// A proof of identity.
    Free,
    PushOnly,
    Expired,
    OtherField,
    /// Breaks off.
    Malformed,
    OtherScheme,
    /// More than are read.
    Flood,
}

/// A `Payment-Receipt` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// For the payment heard.
    Own,
    /// For another.
    Other,
    /// For the payment heard, but of another amount.
    OtherAmount,
    Garbage,
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Right,
    TooLong,
    TooShort,
    Twice,
    Chunked,
    BrokenChunks,
    /// Until the connection ends.
    Unsaid,
}

/// What the client can know from an act, if it took it for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// No whole head, or none that is well-formed.
    Nothing,
    Success,
    Failure,
    /// A receipt for the payment, on whatever status.
    Receipt,
}

/// Mostly what leads on: a demand that can be paid, and then a success.
pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let payable = (act(), demand()).prop_map(|(act, demand)| Act {
        status: 402,
        demands: [act.demands, vec![demand, Demand::Fresh]].concat(),
        cut: None,
        ..act
    });
    (prop_oneof![4 => payable, 1 => act()], prop::collection::vec(act(), 3)).prop_map(|(first, rest)| {
        let mut acts = rest;
        acts.insert(0, first);
        acts
    })
}

fn act() -> impl Strategy<Value = Act> {
    let statuses = select(vec![
        100, 101, 103, 201, 202, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 407,
        408, 409, 421, 425, 429, 500, 502, 503, 504, 599, 999,
    ]);
    let status = prop_oneof![3 => Just(200), 3 => Just(402), 4 => statuses];
    let word = select(vec![Word::Own, Word::Own, Word::Other, Word::OtherAmount, Word::Garbage]);
    let field = select(vec![
        "location: http://0.0.0.0:1/elsewhere",
        "location: /elsewhere",
        "connection: close",
        "retry-after: 0",
        "set-cookie: paid=yes",
        "content-encoding: gzip",
        "refresh: 0",
    ]);
    let length = prop_oneof![
        5 => Just(Length::Right),
        5 => select(vec![
            Length::TooLong, Length::TooShort, Length::Twice, Length::Chunked, Length::BrokenChunks, Length::Unsaid,
        ]),
    ];
    let end = prop_oneof![8 => Just(Then::Listen), 6 => Just(Then::Close), 1 => Just(Then::Silence)];
    let few = |most: usize| 0..=most;
    (
        prop::collection::vec(select(vec![100, 102, 103]), few(2)),
        status,
        prop::collection::vec(demand(), few(3)),
        prop::collection::vec(word, few(2)),
        prop::collection::vec(field, few(2)),
        length,
        prop::bool::weighted(0.1),
        prop::option::weighted(0.25, any::<Index>()),
        end,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(interim, status, demands, receipts, fields, length, early, cut, end, stop_listening)| Act {
                interim,
                status,
                demands,
                receipts,
                fields,
                length,
                early,
                cut,
                end,
                stop_listening,
            },
        )
}

fn demand() -> impl Strategy<Value = Demand> {
    use Demand::*;
    let rare = vec![
        Dearer,
        OtherToken,
        OtherChain,
        Split,
        Sponsored,
        Free,
        PushOnly,
        Expired,
        OtherField,
        Malformed,
        OtherScheme,
        Flood,
    ];
    prop_oneof![
        4 => Just(Fresh),
        3 => Just(Same),
        2 => (1..CENT.base_units()).prop_map(Cheaper),
        5 => select(rare),
    ]
}

impl Act {
    /// The answer to `heard` of a server whose every [`Demand::Same`] is `same`, and what it says.
    pub(crate) fn answer(&self, heard: &Heard, same: &str) -> (Reply, Said) {
        let (mut bytes, head) = self.written(heard, same);
        if let Some(cut) = self.cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let whole_head = bytes.len() >= head;
        let said = if whole_head && self.is_readable(&bytes) { self.said(heard) } else { Said::Nothing };
        // The end of a failure's body is waited for, for seconds; the attacks do that.
        let waited_for = whole_head && said != Said::Nothing && !self.is_success();
        let goes_on = self.cut.is_none() && self.length.ends() && self.status >= 200;
        let end = match self.end {
            Then::Listen if !goes_on => Then::Close,
            Then::Silence if waited_for => Then::Close,
            end => end,
        };
        let reply = Reply::raw(bytes).then(end);
        (if self.stop_listening { reply.stop_listening() } else { reply }, said)
    }

    /// Whether it leaves its client waiting.
    pub(crate) fn is_silent(&self) -> bool {
        self.end == Then::Silence
    }

    /// Whether more may be on its way than this answer, which the client takes for the next, or for nonsense.
    pub(crate) fn is_untidy(&self) -> bool {
        self.early || self.length == Length::TooShort || [204, 304].contains(&self.status)
    }

    /// What its head says of the payment in `heard`.
    fn said(&self, heard: &Heard) -> Said {
        let own = heard.credential().and_then(|credential| thief::hash(&credential));
        match self.receipts.first() {
            Some(Word::Own) if own.is_some() => Said::Receipt,
            _ if self.is_success() => Said::Success,
            _ => Said::Failure,
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether a client can make sense of its head, and takes it for the answer. A switch of protocols is the one `1xx` that no
    /// other answer follows (RFC 9110 section 15.2.2), and has no body whose length could be said in two ways.
    fn is_readable(&self, bytes: &[u8]) -> bool {
        let lines = bytes.windows(2).filter(|two| two == b"\r\n").count();
        let framed = self.status == 101 || (self.status >= 200 && self.length != Length::Twice);
        framed && lines < 90
    }

    /// All of its bytes, and where its head ends.
    fn written(&self, heard: &Heard, same: &str) -> (Vec<u8>, usize) {
        const BODY: &str = "bought";
        let interim = self.interim.iter().map(|status| format!("HTTP/1.1 {status} Wait\r\n\r\n"));
        let mut text = interim.collect::<String>() + &format!("HTTP/1.1 {} So\r\n", self.status);
        let demands = self.demands.iter().flat_map(|demand| demand.fields(same));
        let demands = demands.map(|demand| format!("www-authenticate: {demand}"));
        let receipts = self.receipts.iter().map(|word| format!("payment-receipt: {}", word.field(heard)));
        let fields = self.fields.iter().map(|field| (*field).to_owned());
        for line in demands.chain(receipts).chain(fields).chain(self.length.fields(BODY.len())) {
            text += &format!("{line}\r\n");
        }
        text += "\r\n";
        let end = text.len();
        text += &self.length.frame(BODY);
        if self.early {
            text += "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfree";
        }
        (text.into(), end)
    }
}

impl Demand {
    fn fields(self, same: &str) -> Vec<String> {
        let with_details = |details| asks(json!({ "methodDetails": details }));
        vec![match self {
            Demand::Fresh => plain(),
            Demand::Same => same.to_owned(),
            Demand::Cheaper(amount) => asks(json!({ "amount": amount.to_string() })),
            Demand::Dearer => asks(json!({ "amount": (CENT.base_units() + 1).to_string() })),
            Demand::OtherToken => asks(json!({ "currency": USDC_E })),
            Demand::OtherChain => with_details(json!({ "chainId": 1 })),
            Demand::Split => with_details(
                json!({ "splits": [{ "amount": "1", "recipient": SECOND_SPLIT_RECIPIENT.address }] }),
            ),
            Demand::Sponsored => with_details(json!({ "feePayer": true })),
            Demand::Free => asks(json!({ "amount": "0" })),
            Demand::PushOnly => with_details(json!({ "supportedModes": ["push"] })),
            Demand::Expired => e2e::demand(CENT, None, 0).encode(),
            Demand::OtherField => with(&plain(), "header", "Payment-Authorization"),
            Demand::Malformed => plain().split_at(150).0.to_owned(),
            Demand::OtherScheme => "Basic realm=\"x\"".to_owned(),
            Demand::Flood => return vec!["Payment id=\"x\"".to_owned(); 70],
        }]
    }
}

impl Word {
    fn field(self, heard: &Heard) -> String {
        let credential = heard.credential();
        let hash = credential.as_ref().and_then(thief::hash);
        let id = credential.map_or(String::new(), |credential| credential.challenge().id().to_owned());
        let own = Receipt::new(hash.map_or(id, |hash| hash.to_string()), 0, None);
        match self {
            Word::Own => own.encode(),
            Word::Other => Receipt::new(format!("0x{}", "07".repeat(32)), 0, None).encode(),
            Word::OtherAmount => {
                let amount = Amount::from_base_units(CENT.base_units() + 1);
                own.paid(amount, PATH_USD, e2e::PAYER.address).encode()
            }
            Word::Garbage => "?".to_owned(),
        }
    }
}

impl Length {
    fn fields(self, length: usize) -> Vec<String> {
        let said = |length: usize| format!("content-length: {length}");
        match self {
            Length::Right => vec![said(length)],
            Length::TooLong => vec![said(length + 1)],
            Length::TooShort => vec![said(length - 1)],
            Length::Twice => vec![said(length), said(length + 1)],
            Length::Chunked | Length::BrokenChunks => vec!["transfer-encoding: chunked".to_owned()],
            Length::Unsaid => Vec::new(),
        }
    }

    fn frame(self, body: &str) -> String {
        match self {
            Length::Chunked => format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
            Length::BrokenChunks => format!("{:x}\r\n{body}\r\nz", body.len()),
            _ => body.to_owned(),
        }
    }

    /// Whether its client knows where the body ends, so that the connection can stay.
    fn ends(self) -> bool {
        matches!(self, Length::Right | Length::TooShort | Length::Chunked)
    }
}
