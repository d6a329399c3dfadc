//! An answer in the pieces in which it is sent.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::form::{Event, Form};
use crate::journal::Claimed;
use crate::question::PADDING;
use crate::steering::Steering;

/// What a huge answer is made of.
const BLOCK: usize = 64 * 1024;

/// A piece that is sent at once.
#[derive(Debug)]
pub struct Chunk {
    pub bytes: Bytes,
    /// The usage that is named when this has been sent.
    pub claimed: Option<Claimed>,
}

/// The chunks of an answer, as the request wants them.
pub fn chunks(form: Form, steering: &Steering) -> Vec<Chunk> {
    let (events, is_document) = match form {
        Form::Document(event) => (vec![event], true),
        Form::Stream(events) => (events, false),
    };
    let mut chunks = Vec::new();
    for event in events {
        match steering.huge {
            Some(size) if event.text.contains(PADDING) => padded(&event, size, &mut chunks),
            _ if is_document => halves(event, &mut chunks),
            _ => chunks.push(whole(event)),
        }
    }
    if steering.is_gzip {
        chunks = zipped(&chunks);
    }
    match steering.chunk_bytes {
        Some(size) => cut(chunks, size),
        None => chunks,
    }
}

fn whole(event: Event) -> Chunk {
    Chunk {
        bytes: Bytes::from(event.text),
        claimed: event.claimed,
    }
}

fn halves(event: Event, chunks: &mut Vec<Chunk>) {
    let Chunk { mut bytes, claimed } = whole(event);
    let first = bytes.split_to(bytes.len() / 2);
    chunks.push(Chunk::silent(first));
    chunks.push(Chunk { bytes, claimed });
}

/// The event with so much padding that it has this size: in blocks, which are the same memory.
fn padded(event: &Event, size: usize, chunks: &mut Vec<Chunk>) {
    let (before, after) = event.text.split_once(PADDING).unwrap_or_default();
    let block = Bytes::from("words ".repeat(BLOCK / 6));
    let mut missing = size.saturating_sub(before.len() + after.len());
    chunks.push(Chunk::silent(Bytes::copy_from_slice(before.as_bytes())));
    while missing > 0 {
        let part = block.slice(..missing.min(block.len()));
        missing -= part.len();
        chunks.push(Chunk::silent(part));
    }
    chunks.push(Chunk {
        bytes: Bytes::copy_from_slice(after.as_bytes()),
        claimed: event.claimed,
    });
}

/// Each chunk can be unpacked when it has arrived.
fn zipped(chunks: &[Chunk]) -> Vec<Chunk> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zipped = Vec::new();
    for (i, chunk) in chunks.iter().enumerate() {
        let mut written = encoder.write_all(&chunk.bytes);
        written = written.and_then(|()| encoder.flush());
        if i + 1 == chunks.len() {
            written = written.and_then(|()| encoder.try_finish());
        }
        written.expect("a vector takes all that is written to it");
        zipped.push(Chunk {
            bytes: std::mem::take(encoder.get_mut()).into(),
            claimed: chunk.claimed,
        });
    }
    zipped
}

/// Chunks of this size, which end anywhere.
fn cut(chunks: Vec<Chunk>, size: usize) -> Vec<Chunk> {
    let mut cut = Vec::new();
    let (mut part, mut named) = (Vec::new(), None);
    for chunk in chunks {
        let mut rest = &chunk.bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(size - part.len()));
            part.extend_from_slice(now);
            rest = later;
            if rest.is_empty() {
                named = chunk.claimed.or(named);
            }
            if part.len() == size {
                cut.push(Chunk {
                    bytes: std::mem::take(&mut part).into(),
                    claimed: named.take(),
                });
            }
        }
    }
    if !part.is_empty() {
        cut.push(Chunk {
            bytes: part.into(),
            claimed: named,
        });
    }
    cut
}

impl Chunk {
    /// Names no usage.
    pub fn silent(bytes: Bytes) -> Self {
        Self {
            bytes,
            claimed: None,
        }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}
