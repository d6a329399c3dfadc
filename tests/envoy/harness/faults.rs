//! The ways in which a service can fail to answer.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::service::Reply;

/// Each fault by its name; `good` is the body that would be right, `timeout` what the caller grants.
pub fn of(good: &[u8], content_type: &str, timeout: Duration) -> Vec<(&'static str, Reply)> {
    let status = |status: u16| Reply::with(status, content_type, good);
    let body = |body: &[u8]| Reply::with(200, content_type, body);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(good).expect("memory");
    let compressed = gzip.finish().expect("memory");
    vec![
        ("slow", status(200).after(timeout + Duration::from_secs(6))),
        ("hangs-up", Reply::HangUp),
        ("resets-in-the-body", Reply::Truncated(good.to_vec())),
        ("trickles", Reply::Trickle),
        ("status-204", Reply::with(204, content_type, "")),
        (
            "status-302",
            Reply::redirect("http://elsewhere.example.com/good"),
        ),
        ("status-400", status(400)),
        ("status-401", status(401)),
        ("status-404", status(404)),
        ("status-500", status(500)),
        ("status-503", status(503)),
        (
            "html",
            Reply::with(200, "text/html", "<html>sign in</html>"),
        ),
        ("empty", body(b"")),
        ("truncated", body(&good[..good.len() / 2])),
        ("list", body(b"[]")),
        ("null", body(b"null")),
        ("not-utf8", body(b"{\"a\":\"\xff\xfe\"}")),
        // Nobody asked for it: what is never unpacked is no bomb.
        (
            "compressed",
            body(&compressed).header("content-encoding", "gzip"),
        ),
        ("oversize", body(&[good, &vec![b' '; 5 << 20]].concat())),
    ]
}
