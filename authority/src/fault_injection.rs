//! Faults on demand, for tests and tours: a resource server is only as good as its answer to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::keys::Keys;

#[derive(Default)]
pub struct Faults(Mutex<Switches>);

#[derive(Default)]
struct Switches {
    by_path: HashMap<String, Arc<Fault>>,
    decoys: Option<Arc<Keys>>,
}

/// What happens to each request for one path: it waits, and then it is answered with `instead`, if any.
pub struct Fault {
    pub delay: Duration,
    pub instead: Option<Instead>,
}

pub struct Instead {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// Layer of the public router.
pub async fn inject(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    let Some(fault) = faults.for_path(request.uri().path()) else {
        return next.run(request).await;
    };
    tokio::time::sleep(fault.delay).await;
    match &fault.instead {
        None => next.run(request).await,
        Some(Instead {
            status,
            headers,
            body,
        }) => (*status, headers.clone(), Body::from(body.clone())).into_response(),
    }
}

// === impl Faults ===

impl Faults {
    pub fn set(&self, path: String, fault: Fault) {
        self.switches().by_path.insert(path, Arc::new(fault));
    }

    /// From now on these sign, in place of the keys that are published.
    pub fn swap_keys(&self, decoys: Keys) {
        self.switches().decoys = Some(Arc::new(decoys));
    }

    pub fn decoys(&self) -> Option<Arc<Keys>> {
        self.switches().decoys.clone()
    }

    pub fn clear(&self) {
        *self.switches() = Switches::default();
    }

    fn for_path(&self, path: &str) -> Option<Arc<Fault>> {
        self.switches().by_path.get(path).cloned()
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
