//! Answers in the upstream's place.

use portcullis_core::effects::LocalReply;
use proxy_wasm::types::Action;

use crate::{host_abi, log};

/// Refuses a request.
pub fn answer(reply: &LocalReply) -> Action {
    let headers = reply.headers.iter();
    let headers: Vec<(&str, &str)> = headers
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let (body, details) = (reply.body.as_bytes(), &reply.details);
    match host_abi::send_local_response(reply.status, details, &headers, body, reply.grpc_status) {
        Ok(()) => Action::Pause,
        Err(_) => fail_closed("the answer could not be sent"),
    }
}

/// Answers 503 to what cannot be judged at all.
pub fn fail_closed(why: &str) -> Action {
    let details = "portcullis_cannot_be_judged";
    let outcome = match host_abi::send_local_response(503, details, &[], &[], None) {
        Ok(()) => "was answered 503",
        Err(_) => "could not be answered",
    };
    log::error(&format!("a request that cannot be judged {outcome}: {why}"));
    Action::Pause
}
