//! Connections: taken up to a number, each with a deadline for its requests' heads, and given time to finish at the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::Service as _;

/// Takes connections until `stop` is there. Those that are left finish as long as what is handed back is waited for.
pub(super) async fn listen(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> impl Future<Output = ()> {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let accepted = async {
            // The only error is a closed semaphore, and nobody closes this one.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // Mostly there are no more file descriptors; whoever waits will still be there in a second.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = service_fn(move |request| router.clone().call(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // Whoever hung up is not waited for.
            let _ = watched.await;
            drop(slot);
        });
    }
    graceful.shutdown()
}

const MOST_CONNECTIONS: usize = 256;
/// Longest wait for a request's head, or for the next request.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);
