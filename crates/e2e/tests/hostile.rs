//! What servers that cheat or break may not make a payer do, where more than one call or more than its end is looked at:
//! what is read, which connection is taken, who else is asked. What a single call can end in is in `attacks/`.

use std::time::Duration;

use e2e::{CHAIN_ID, Customer, Heard, PATH_USD, PAYER, Reply, ScriptedServer, Then};
use mpp_core::payee::ProblemType;
use mpp_core::{Amount, Challenge, Policy, Problem};
use mpp_http::{Error, Money};

const CENT: Amount = Amount::from_base_units(10_000);

#[tokio::test]
async fn one_challenge_for_two_calls_is_paid_by_two_transactions() {
    // Both end with the challenge, so that nothing but the salt tells them apart.
    let asked = Reply::payment_required(&e2e::demand(CENT, None, 20));
    let scene = Scene::new(move |heard| match heard.credential() {
        None => asked.clone(),
        Some(_) => Reply::new(200, &[], "bought"),
    })
    .await;
    let [first, second] = [scene.get().await.unwrap(), scene.get().await.unwrap()];
    let (first, second) = (first.payment().unwrap(), second.payment().unwrap());
    assert_eq!((first.memo(), first.valid_before()), (second.memo(), second.valid_before()));
    assert_ne!(first.hash(), second.hash());
    assert_eq!(scene.customer.signatures(), 2);
}

#[tokio::test]
async fn timeouts_without_end_are_as_good_as_any() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    let scene = scene.with(|client| client.unpaid_timeout(Duration::MAX).paid_timeout(Duration::MAX));
    let mut answer = scene.get().await.unwrap();
    assert_eq!(answer.payment().unwrap().money(), Money::Paid);
    assert_eq!(answer.bytes().await.unwrap(), "bought");
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn ten_megabytes_beside_a_challenge_are_not_read() {
    // Beside one that is paid, beside one that is refused, and beside a failure after paying.
    let answers: [fn(&Heard) -> Reply; 3] = [
        |heard| match heard.credential().is_some() {
            false => long_402(CENT),
            true => Reply::new(200, &[], "bought"),
        },
        |_| long_402(Amount::from_base_units(10_001)),
        |heard| match heard.credential().is_some() {
            false => fresh_402(),
            true => Reply::new(500, &[], vec![b' '; 10 << 20]),
        },
    ];
    for (answer, (signatures, paid)) in answers.into_iter().zip([(1, true), (0, false), (1, false)]) {
        let Scene { server, customer } = Scene::new(answer).await;
        assert_eq!(customer.get(&server.url("/")).await.is_ok(), paid);
        assert_eq!(customer.signatures(), signatures);
        drop(customer);
        let written = server.written().await;
        assert!(written < 4 << 20, "the client took {written} bytes");
    }
}

#[tokio::test]
async fn clear_text_to_another_machine_is_not_even_asked_for() {
    // 0.0.0.0 would reach the server, which is how this is seen to be the client's doing.
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    let port = scene.server.port();
    for host in ["0.0.0.0", "localhost.shop.test", "127.0.0.1.shop.test", "[::ffff:127.0.0.1]", "shop.test"] {
        let error = scene.customer.get(&format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error:?}");
        assert_eq!(error.money(), Money::NotMoved);
    }
    for other in ["ftp://127.0.0.1", "http://a:b@127.0.0.1"] {
        let error = scene.customer.get(&format!("{other}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error:?}");
    }
    assert_eq!((scene.customer.signatures(), scene.customer.sent().len()), (0, 0));
    assert_eq!(scene.server.heard().len(), 0);
}

#[tokio::test]
async fn paid_post_is_the_same_request_with_credential_and_idempotency_key() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    scene.post().await.unwrap();
    scene.post().await.unwrap();
    assert_eq!(scene.customer.signatures(), 2);
    let heard = scene.server.heard();
    let keys: Vec<_> = heard.iter().map(|heard| heard.header("idempotency-key")).collect();
    assert!(keys[0].is_none() && keys[1].is_some() && keys[2].is_none() && keys[3].is_some(), "{keys:?}");
    assert_ne!(keys[1], keys[3]);
    for legs in heard.chunks(2) {
        let [unpaid, paid] = legs else { panic!("a leg is missing") };
        assert_eq!((&unpaid.body, unpaid.method()), (&paid.body, paid.method()));
        assert_eq!(unpaid.body, BODY.as_bytes());
        let is_own =
            |line: &&str| !["authorization", "idempotency-key"].iter().any(|it| line.starts_with(it));
        let paid: Vec<_> = paid.head.lines().filter(is_own).collect();
        assert_eq!(unpaid.head.lines().collect::<Vec<_>>(), paid);
    }
}

#[tokio::test]
async fn call_that_is_dropped_while_paying_signs_once() {
    let scene = Scene::paid(|_| Reply::raw("HTTP/1.1 200 OK\r\nx: ").then(Then::Drip(b'x'))).await;
    {
        let call = scene.get();
        tokio::pin!(call);
        while scene.paid_requests().is_empty() {
            let turn = tokio::time::timeout(Duration::from_millis(1), &mut call).await;
            assert!(turn.is_err(), "{turn:?}");
        }
    }
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn paid_request_takes_the_connection_of_the_unpaid_one() {
    let scene = Scene::new(|heard| {
        if heard.credential().is_some() {
            return Reply::new(200, &[], "bought");
        }
        let problem = Problem::new(ProblemType::PaymentRequired, "a cent, please", None).encode();
        Reply::new(402, &[("www-authenticate", &challenge(CENT).encode())], problem)
    })
    .await;
    scene.get().await.unwrap();
    let connections: Vec<_> = scene.server.heard().iter().map(|heard| heard.connection).collect();
    assert_eq!(connections, [0, 0]);
}

#[tokio::test]
async fn proxy_named_by_the_environment_sees_nothing() {
    const NAME: &str = "proxy_named_by_the_environment_sees_nothing";
    if std::env::var_os("BEHIND_PROXY").is_some() {
        let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
        scene.get().await.unwrap();
        return scene.assert_one_signature_one_credential();
    }
    // Only a process of its own can have another environment.
    let proxy = thief().await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME]).env("BEHIND_PROXY", "yes");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, proxy.url(""));
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().await.unwrap();
    assert_eq!(proxy.heard().len(), 0);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A server, and somebody who asks it for something.
struct Scene {
    server: ScriptedServer,
    customer: Customer,
}

impl Scene {
    async fn new(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let policy = Policy::new(CHAIN_ID, [PATH_USD], CENT);
        Self { server: ScriptedServer::start(script).await, customer: Customer::new(PAYER.key, policy) }
    }

    /// A server that asks everybody for a cent, each time anew, and does as `script` says once it is paid.
    async fn paid(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(move |heard| if heard.credential().is_some() { script(heard) } else { fresh_402() }).await
    }

    fn with(self, options: impl FnOnce(mpp_http::Client) -> mpp_http::Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    async fn get(&self) -> Result<mpp_http::Response, Error> {
        self.customer.get(&self.server.url("/")).await
    }

    async fn post(&self) -> Result<mpp_http::Response, Error> {
        self.customer.post(&self.server.url("/"), BODY).await
    }

    fn paid_requests(&self) -> Vec<Heard> {
        let heard = self.server.heard();
        heard.into_iter().filter(|heard| heard.credential().is_some()).collect()
    }

    fn assert_one_signature_one_credential(&self) {
        assert_eq!((self.customer.signatures(), self.customer.sent().len()), (1, 2));
        assert_eq!((self.paid_requests().len(), self.server.heard().len()), (1, 2));
    }
}

const BODY: &str = r#"{"prompt":"Compute the factorial of 50 in Python."}"#;

/// Somebody who hopes to be redirected to, and asks for money at once.
async fn thief() -> ScriptedServer {
    ScriptedServer::start(|_| fresh_402()).await
}

fn challenge(amount: Amount) -> Challenge {
    e2e::demand(amount, None, 300)
}

fn fresh_402() -> Reply {
    Reply::payment_required(&challenge(CENT))
}

fn long_402(amount: Amount) -> Reply {
    Reply::new(402, &[("www-authenticate", &challenge(amount).encode())], vec![b' '; 10 << 20])
}
