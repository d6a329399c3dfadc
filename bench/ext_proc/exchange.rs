//! One HTTP request and its answer, as Envoy hands them over.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bench::callers::{self, Caller, Digest, sha256};
use bench::{Result, clock};
use bytes::Bytes;
use hyper::StatusCode;
use serde::Deserialize;

use crate::budget::{Budget, Reservation};
use crate::messages::{
    Answered, Asked, HeaderMap, HeaderMutation, HeaderValueOption, HttpBody, HttpHeaders,
    HttpStatus, ImmediateResponse, PhaseResponse, ProcessingRequest, ProcessingResponse,
};
use crate::settings::{Model, Settings};
use crate::usage::Reader;

/// Judges requests by what the service was told.
pub struct Gate {
    callers: HashMap<Digest, Arc<Caller>>,
    scope: String,
    models: Vec<Model>,
    budget: Budget,
}

/// One request, from its headers to the end of its answer.
pub struct Exchange {
    gate: Arc<Gate>,
    caller: Option<Arc<Caller>>,
    /// Until it is known what the answer used.
    reservation: Option<Reservation>,
    /// For an answer that costs anything.
    reader: Option<Reader>,
}

/// What the service reads of a request for a model.
#[derive(Deserialize)]
struct ChatRequest<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
}

// === impl Gate ===

impl Gate {
    /// An error, where a key in the settings is malformed.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Gate {
            callers: callers::known(settings.api_keys)?,
            scope: settings.scope,
            models: settings.models,
            budget: Budget::new(settings.budget),
        })
    }

    /// Who calls, and may, or the status of the refusal.
    fn authorize(&self, headers: &HeaderMap) -> std::result::Result<Arc<Caller>, StatusCode> {
        let caller = self.callers.get(&sha256(headers.get("x-api-key")));
        let caller = caller.ok_or(StatusCode::UNAUTHORIZED)?;
        match caller.scopes.contains(&self.scope) {
            true => Ok(Arc::clone(caller)),
            false => Err(StatusCode::FORBIDDEN),
        }
    }

    /// Reserves what this body may cost, or tells the status of the refusal.
    fn admit(&self, caller: &Caller, body: &[u8]) -> std::result::Result<Reservation, StatusCode> {
        let request = serde_json::from_slice::<ChatRequest>(body);
        let request = request.map_err(|_| StatusCode::BAD_REQUEST)?;
        let mut models = self.models.iter();
        let model = models.find(|model| model.is(&request.model));
        let model = model.ok_or(StatusCode::FORBIDDEN)?;
        let named = request.max_tokens.max(request.max_completion_tokens);
        if let (Some(named), Some(bound)) = (named, model.max_output_tokens)
            && named > bound
        {
            return Err(StatusCode::BAD_REQUEST);
        }
        let output = named
            .or(model.max_output_tokens)
            .unwrap_or(self.budget.default_output_tokens());
        let output = output.saturating_mul(request.n.unwrap_or(1).max(1));
        let input = u64::try_from(body.len().div_ceil(4)).unwrap_or(u64::MAX);
        let [(_, client), ..] = &caller.identity;
        let client = client.to_str().map_err(|_| StatusCode::FORBIDDEN)?;
        let tokens = input.saturating_add(output);
        let reservation = self.budget.reserve(client, tokens, clock::unix_seconds());
        reservation.ok_or(StatusCode::TOO_MANY_REQUESTS)
    }
}

// === impl Exchange ===

impl Exchange {
    /// One that has not begun.
    pub fn new(gate: Arc<Gate>) -> Self {
        Exchange {
            gate,
            caller: None,
            reservation: None,
            reader: None,
        }
    }

    /// The answer to one message.
    pub fn answer(&mut self, message: ProcessingRequest) -> ProcessingResponse {
        let answered = match message.asked {
            Some(Asked::RequestHeaders(head)) => self.request_headers(&head),
            Some(Asked::RequestBody(body)) => self.request_body(&body),
            Some(Asked::ResponseHeaders(head)) => Ok(self.response_headers(&head)),
            Some(Asked::ResponseBody(body)) => Ok(self.response_body(&body)),
            None => Err(StatusCode::INTERNAL_SERVER_ERROR),
        };
        ProcessingResponse {
            answered: Some(answered.unwrap_or_else(deny)),
        }
    }

    fn request_headers(&mut self, head: &HttpHeaders) -> std::result::Result<Answered, StatusCode> {
        let headers = head.headers.as_ref().ok_or(StatusCode::BAD_REQUEST)?;
        let caller = self.gate.authorize(headers)?;
        let set = |(name, value): &(&'static str, hyper::header::HeaderValue)| {
            HeaderValueOption::set(name, Bytes::copy_from_slice(value.as_bytes()))
        };
        let mutation = HeaderMutation {
            set_headers: caller.identity.iter().map(set).collect(),
            // No usage could be read of a compressed answer.
            remove_headers: vec![caller.credential.to_owned(), "accept-encoding".to_owned()],
        };
        self.caller = Some(caller);
        Ok(Answered::RequestHeaders(mutation.into()))
    }

    fn request_body(&mut self, body: &HttpBody) -> std::result::Result<Answered, StatusCode> {
        let caller = self.caller.as_ref().ok_or(StatusCode::UNAUTHORIZED)?;
        self.reservation = Some(self.gate.admit(caller, &body.body)?);
        Ok(Answered::RequestBody(PhaseResponse::default()))
    }

    fn response_headers(&mut self, head: &HttpHeaders) -> Answered {
        let (Some(headers), Some(reservation)) = (&head.headers, self.reservation.take()) else {
            return Answered::ResponseHeaders(PhaseResponse::default());
        };
        let budget = &self.gate.budget;
        let [policy, limits] = budget.limits(&reservation, clock::unix_seconds());
        match headers.get(":status").starts_with(b"2") {
            true => {
                self.reservation = Some(reservation);
                self.reader = Some(Reader::of(headers.get("content-type")));
            }
            false => budget.settle(reservation, 0),
        }
        let mutation = HeaderMutation {
            set_headers: vec![
                HeaderValueOption::set("ratelimit-policy", policy),
                HeaderValueOption::set("ratelimit", limits),
            ],
            remove_headers: Vec::new(),
        };
        Answered::ResponseHeaders(mutation.into())
    }

    fn response_body(&mut self, body: &HttpBody) -> Answered {
        let reader = self.reader.as_mut();
        let used = reader.and_then(|reader| reader.read(&body.body, body.end_of_stream));
        if let Some(used) = used {
            self.settle(Some(used));
        }
        Answered::ResponseBody(PhaseResponse::default())
    }

    /// What was reserved is charged, where nothing says what was used.
    fn settle(&mut self, used: Option<u64>) {
        if let Some(reservation) = self.reservation.take() {
            let used = used.unwrap_or(reservation.tokens);
            self.gate.budget.settle(reservation, used);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.settle(None);
    }
}

fn deny(status: StatusCode) -> Answered {
    Answered::Immediate(ImmediateResponse {
        status: Some(HttpStatus {
            code: status.as_u16().into(),
        }),
    })
}
