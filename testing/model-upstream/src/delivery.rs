//! Sends an answer, or the part of it that the request wants.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::channel::Sender;
use tokio::time::sleep;

use crate::chunks::Chunk;
use crate::journal::{End, Journal};

/// For what was sent to leave this process before its connection ends.
const FLUSH: Duration = Duration::from_millis(20);

pub struct Delivery {
    pub journal: Arc<Journal>,
    pub number: u64,
    pub chunks: Vec<Chunk>,
    pub delay: Duration,
    pub break_after: Option<usize>,
    pub trailers: HeaderMap,
}

impl Delivery {
    /// A client may look into the journal as soon as it has the last byte: so each chunk is entered before it is sent.
    pub async fn run(self, mut body: Sender<Bytes, io::Error>) {
        let end = |end| self.journal.end(self.number, end);
        let last = self.chunks.len().saturating_sub(1);
        let mut before = None;
        for (i, chunk) in self.chunks.into_iter().enumerate() {
            if self.break_after == Some(i) {
                break;
            }
            // Even no time would be a millisecond.
            if i > 0 && !self.delay.is_zero() {
                sleep(self.delay).await;
            }
            self.journal.chunk(self.number, chunk.claimed, before);
            before = chunk.claimed.or(before);
            if i == last && self.break_after.is_none() {
                end(End::Complete);
            }
            if body.send_data(chunk.bytes).await.is_err() {
                return end(End::Abandoned);
            }
        }
        if self.break_after.is_some() {
            end(End::Broken);
            sleep(FLUSH).await;
            return body.abort(io::Error::other("broken off, as the request wants"));
        }
        if !self.trailers.is_empty() {
            let _ = body.send_trailers(self.trailers).await;
        }
    }
}
