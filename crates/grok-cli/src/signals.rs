//! What ends the program before it is done: ctrl-C, or being told to terminate. Not the end of a terminal, which ends it as
//! any program, unless who started it with nohup has it stay.

/// Waits to be told to end. From the first call on, these signals end nothing else.
pub(crate) async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        if let [Ok(mut interrupt), Ok(mut terminate)] =
            [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a way to hear of them, they end the program as ever.
        std::future::pending().await
    }
}
