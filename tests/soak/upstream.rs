//! The echoing upstream. It knows of every request what it may become, so it judges whatever reaches it, also where the
//! client has left by then: whether it may have passed, whom it is from, and that no credential came along.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portcullis_testing::printable;
use portcullis_testing::service::Call;
use serde_json::json;

use crate::history::{Moment, lock, now};
use crate::oracle::{Expectation, IDENTITY_HEADERS, Identity, Oracle, Span};

/// The header by which the upstream knows a request again.
pub const ID: &str = "x-soak-id";

/// Every identity that a client claims for itself says so.
pub const SPOOFED: &str = "spoofed";

/// A request that is under way, or was a moment ago.
pub struct UnderWay {
    pub what: String,
    pub expectation: Expectation,
    pub from: Moment,
    /// When its connection was made, and, where it was used before, when it was first answered.
    pub bound: (Moment, Option<Moment>),
}

pub struct Upstream {
    oracle: Arc<Oracle>,
    under_way: Mutex<HashMap<u64, Arc<UnderWay>>>,
    pub passed: AtomicU64,
    pub port: u16,
}

impl Upstream {
    /// Serves until the process ends.
    pub fn start(oracle: Arc<Oracle>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let upstream = Arc::new(Self {
            oracle,
            under_way: Mutex::default(),
            passed: AtomicU64::new(0),
            port: listener.local_addr().expect("a bound socket").port(),
        });
        let served = Arc::clone(&upstream);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let upstream = Arc::clone(&served);
                // A caller that hangs up ends only its own connection.
                thread::spawn(move || upstream.serve(&connection));
            }
        });
        upstream
    }

    pub fn expect(&self, id: u64, request: UnderWay) {
        lock(&self.under_way).insert(id, Arc::new(request));
    }

    pub fn forget(&self, id: u64) {
        lock(&self.under_way).remove(&id);
    }

    /// Forgets the requests whose clients left so long ago.
    pub fn forget_older_than(&self, age: Duration) {
        let now = now();
        lock(&self.under_way).retain(|_, it| it.from + age > now);
    }

    fn serve(&self, connection: &TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection);
        while let Some(mut call) = Call::read_head(&mut reader)? {
            self.judge(&call);
            call.read_body(&mut reader)?;
            let trailers = call.trailers.iter().map(|(_, value)| printable(value));
            let trailers: Vec<String> = trailers.collect();
            if trailers.iter().any(|trailer| trailer.contains(SPOOFED)) {
                let what = format!("a client's own identity came in trailers: {trailers:?}");
                self.oracle.report(what);
            }
            if let Some(delay) = call.header("x-soak-delay") {
                thread::sleep(Duration::from_millis(delay.parse().unwrap_or_default()));
            }
            let body = json!({ "bytes": call.body.len(), "sum": sum(&call.body) }).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nx-echo: yes\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            (&*connection).write_all(answer.as_bytes())?;
        }
        Ok(())
    }

    fn judge(&self, call: &Call) {
        let arrived = now();
        self.passed.fetch_add(1, Ordering::Relaxed);
        let id = match call.all(ID).as_slice() {
            [id] => id.parse().ok(),
            _ => None,
        };
        let request = id.and_then(|id: u64| lock(&self.under_way).get(&id).cloned());
        let Some(request) = request else {
            return self.oracle.report(format!(
                "the upstream got a request that nobody sent: {} {} {:?}",
                call.method, call.path, call.headers
            ));
        };
        let span = Span {
            from: request.from,
            to: arrived,
            bound: (request.bound.0, request.bound.1.unwrap_or(arrived)),
        };
        let verdict = self
            .oracle
            .judge_passage(&request.expectation, span)
            .and_then(|()| check(call, &request.expectation.identity));
        if let Err(why) = verdict {
            self.oracle.report(format!(
                "{}: {why}\n  reached the upstream as {} {} {:?}",
                request.what, call.method, call.path, call.headers
            ));
        }
    }
}

/// That the identity is the caller's and no other, and that nothing of a credential came along.
fn check(call: &Call, identity: &Identity) -> Result<(), String> {
    for header in IDENTITY_HEADERS {
        let wanted: Vec<&str> = identity
            .get(header)
            .map(String::as_str)
            .into_iter()
            .collect();
        let found = call.all(header);
        if found != wanted {
            return Err(format!("{header} is {found:?} instead of {wanted:?}"));
        }
    }
    for (name, value) in &call.headers {
        let value = String::from_utf8_lossy(value);
        if value.contains(SPOOFED) {
            return Err(format!("{name} is the client's own"));
        }
        if ["authorization", "x-api-key"].contains(&name.as_str()) {
            return Err(format!("{name} came along"));
        }
    }
    Ok(())
}

/// FNV-1a (RFC draft-eastlake-fnv): a body that changed on its way has another.
pub fn sum(body: &[u8]) -> u64 {
    body.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
