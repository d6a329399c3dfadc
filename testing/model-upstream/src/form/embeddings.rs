//! `POST /v1/embeddings`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::event::Event;
use crate::question::{PADDING, Question, inputs};

/// Of a vector, where the request does not say.
const DIMENSIONS: u16 = 8;

pub fn document(question: &Question<'_>) -> Event {
    let body = &question.body;
    let dimensions = body["dimensions"].as_u64();
    let dimensions = dimensions.and_then(|dimensions| u16::try_from(dimensions).ok());
    let embedding = |index: usize| {
        let vector = vector(index, dimensions.unwrap_or(DIMENSIONS));
        let vector = if body["encoding_format"] == "base64" {
            let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
            json!(BASE64_STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    };
    let embeddings: Vec<Value> = (0..inputs(body).len()).map(embedding).collect();
    let mut document = json!({
        "object": "list",
        "data": embeddings,
        "model": question.model,
    });
    if question.steering.huge.is_some() {
        // There is no text to pad.
        document["data"][0]["padding"] = json!(PADDING);
    }
    let Some(figures) = question.figures(0) else {
        return Event::document(&document);
    };
    document["usage"] = json!({
        "prompt_tokens": figures.all_input,
        "total_tokens": figures.total,
    });
    Event::document(&document).claiming(figures.claimed)
}

/// Halves, so that every number is exact.
fn vector(index: usize, dimensions: u16) -> Vec<f32> {
    let half = if index.is_multiple_of(2) { 0.5 } else { -0.5 };
    (0..dimensions).map(|i| f32::from(i) * half).collect()
}
