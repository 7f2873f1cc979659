//! Attacks that send the customer, or its credential, somewhere else.

use e2e::{Heard, Reply, Then};

use crate::attack::{Attack, accepted, answered};
use crate::demand::{plain, required};

pub(crate) fn attacks() -> Vec<Attack> {
    [of_every_kind(), elsewhere(), hints()].into_iter().flatten().collect()
}

fn of_every_kind() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        let to = move |elsewhere: &str| Reply::new(status, &[("location", elsewhere)], "");
        attacks.extend([
            Attack::on(format!("{status} to another origin before paying"), move |_, elsewhere| {
                to(elsewhere)
            })
            .post()
            .ends_handed_back(status),
            after_paying(format!("{status} to another origin after paying"), move |_, elsewhere| {
                to(elsewhere)
            })
            .post()
            .ends_unknown(answered(status)),
        ]);
    }
    attacks
}

fn elsewhere() -> Vec<Attack> {
    vec![
        Attack::on("redirect to plain http on another host", |_, elsewhere| another_host(elsewhere))
            .ends_handed_back(302),
        after_paying("redirect to plain http on another host after paying", |_, elsewhere| {
            another_host(elsewhere)
        })
        .ends_unknown(answered(302)),
        after_paying("redirect to the same origin after paying", |_, _| {
            Reply::new(307, &[("location", "/again")], "")
        })
        .ends_unknown(answered(307)),
        after_paying("300 with a choice after paying", |_, elsewhere| {
            Reply::new(300, &[("location", elsewhere)], "")
        })
        .ends_unknown(answered(300)),
        after_paying("304 after paying", |_, _| Reply::new(304, &[], "")).ends_unknown(answered(304)),
        after_paying("305 to a proxy after paying", |_, elsewhere| {
            Reply::new(305, &[("location", elsewhere)], "")
        })
        .ends_unknown(answered(305)),
    ]
}

fn hints() -> Vec<Attack> {
    vec![
        Attack::on("redirect and challenge at once", |heard, elsewhere| match heard.credential() {
            None => Reply::new(402, &[("location", elsewhere), ("www-authenticate", &plain())], ""),
            Some(_) => Reply::new(200, &[("location", elsewhere)], "bought"),
        })
        .ends_paid(accepted),
        Attack::on("challenge with a better place to send it", |heard, elsewhere| match heard.credential() {
            None => better_place(elsewhere),
            Some(_) => Reply::new(200, &[], "bought"),
        })
        .ends_paid(accepted),
    ]
}

fn after_paying(
    name: impl Into<String>,
    script: impl Fn(&Heard, &str) -> Reply + Send + Sync + 'static,
) -> Attack {
    Attack::on(name, move |heard, elsewhere| match heard.credential() {
        None => required(&[plain()]),
        Some(_) => script(heard, elsewhere),
    })
}

/// A challenge, and every field that speaks of another address.
fn better_place(elsewhere: &str) -> Reply {
    let authority = elsewhere.trim_start_matches("http://").trim_end_matches("/stolen");
    let fields = [
        ("www-authenticate", plain()),
        ("alt-svc", format!("http/1.1=\"{authority}\"; ma=600")),
        ("refresh", format!("0; url={elsewhere}")),
        ("content-location", elsewhere.to_owned()),
        ("connection", "close".to_owned()),
    ];
    Reply::new(402, &fields.each_ref().map(|(name, value)| (*name, value.as_str())), "").then(Then::Close)
}

/// 0.0.0.0 would reach the accomplice, which is how nobody following is seen.
fn another_host(elsewhere: &str) -> Reply {
    Reply::new(302, &[("location", &elsewhere.replace("127.0.0.1", "0.0.0.0"))], "")
}
