//! Work that may block, off the threads that serve connections.

use crate::refusal::{Internal, Refusal};

/// Runs a job that waits for the disk or computes a signature on a thread that may block.
pub async fn run<T, F>(job: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Refusal> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or(Err(Refusal::Internal(Internal::Panicked)))
}
