//! Answers to those who ask about a protected resource (RFC 9728 §3).

use crate::effects::local_reply::LocalReply;
use crate::request::{Request, is_token};

/// Answers with the metadata, or to the preflight (`OPTIONS`) of a browser that wants it: it is public, and other sites
/// may read it.
pub fn reply(request: &Request<'_>, document: &str) -> LocalReply {
    let mut headers = vec![("access-control-allow-origin", "*".to_owned())];
    let (status, body) = match request.method {
        // Envoy leaves the body of an answer to HEAD out.
        b"GET" | b"HEAD" => {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("cache-control", "max-age=3600".to_owned()));
            (200, document.to_owned())
        }
        _ => {
            headers.push(("access-control-allow-methods", "GET, HEAD".to_owned()));
            if let Some(asked) = asked_headers(request) {
                headers.push(("access-control-allow-headers", asked.to_owned()));
            }
            headers.push(("access-control-max-age", "3600".to_owned()));
            (204, String::new())
        }
    };
    LocalReply {
        status,
        headers,
        body,
        grpc_status: None,
        details: "portcullis_resource_metadata".to_owned(),
    }
}

/// The names of the headers that a preflight asks for, where it is a list of names.
fn asked_headers<'a>(request: &Request<'a>) -> Option<&'a str> {
    let asked = request.header("access-control-request-headers")?;
    let mut names = asked.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    names.all(is_token).then_some(())?;
    std::str::from_utf8(asked).ok()
}
