//! Connections: taken up to a number, each with deadlines for its handshake, its requests' heads and the reading of
//! answers, and at the end given time to finish.
//!
//! HTTP/1.1 only: its connections can be held to a deadline, those of HTTP/2 hold many requests each. A proxy in front
//! can speak HTTP/2 to clients.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use super::client;
use super::front::Peer;
use super::limits::PerPlace;
use super::metrics::Metrics;
use super::settings::Limits;

/// What is served, and how.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until `stopped` says so, and then finishes what was begun.
    pub(crate) async fn serve(self, listener: TcpListener, mut stopped: watch::Receiver<()>) {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.limits.connections.get()));
        // A proxy has as many as it wants: behind one, everybody has its address.
        let most =
            if self.limits.trusted_proxies == 0 { self.limits.connections_per_ip.get() } else { usize::MAX };
        let places = PerPlace::new(most);
        loop {
            let accepted = async {
                // The only error is a closed semaphore, and nobody closes this one.
                let slot = Arc::clone(&slots).acquire_owned().await.ok();
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                accepted = accepted => accepted,
                _ = stopped.changed() => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                // It left before it was taken.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    // Mostly there are no more file descriptors; whoever waits will still be there in a second.
                    tracing::error!(%error, "cannot take connections");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let Some(counted) = places.enter(client::place(peer.ip().to_canonical())) else {
                self.metrics.refused("connections_per_ip");
                continue;
            };
            let (server, watcher) = (self.clone(), graceful.watcher());
            tokio::spawn(async move {
                server.metrics.connected();
                server.connection(stream, peer, watcher).await;
                server.metrics.disconnected();
                drop((slot, counted));
            });
        }
        // Who connects from now on is refused by the operating system.
        drop(listener);
        graceful.shutdown().await;
    }

    async fn connection(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Answers are written whole; waiting for more of them gains nothing.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(seconds(self.limits.write_seconds.get())));
        let stream = Box::pin(stream);
        match &self.tls {
            None => self.speak(stream, peer, watcher).await,
            Some(acceptor) => {
                let handshake = timeout(seconds(self.limits.header_seconds.get()), acceptor.accept(stream));
                match handshake.await {
                    Ok(Ok(stream)) => self.speak(stream, peer, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        peer: SocketAddr,
        watcher: Watcher,
    ) {
        let router = self.router.clone();
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            router.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(seconds(self.limits.header_seconds.get()))
            .max_buf_size(self.limits.header_bytes.get().max(LEAST_BUFFER))
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// hyper takes no smaller one, in bytes.
const LEAST_BUFFER: usize = 8192;
