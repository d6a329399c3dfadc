//! Faults on demand, so that tests and the tour can show how a resource server handles them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::keys::Keys;

/// The faults that are on.
#[derive(Default)]
pub struct Faults(Mutex<Switches>);

#[derive(Default)]
struct Switches {
    by_path: HashMap<String, Arc<Fault>>,
    decoys: Option<Arc<Keys>>,
}

/// What happens to each request for a path.
pub struct Fault {
    /// How long the request waits.
    pub delay: Duration,
    /// The response after that. `None`: the endpoint's own.
    pub instead: Option<Instead>,
}

/// A response in place of the endpoint's.
pub struct Instead {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// The outermost layer of the public router.
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
    /// Sets the fault of a path.
    pub fn set(&self, path: String, fault: Fault) {
        self.switches().by_path.insert(path, Arc::new(fault));
    }

    /// Lets `decoys` sign in place of the published keys.
    pub fn swap_keys(&self, decoys: Keys) {
        self.switches().decoys = Some(Arc::new(decoys));
    }

    /// The keys that sign in place of the published ones.
    pub fn decoys(&self) -> Option<Arc<Keys>> {
        self.switches().decoys.clone()
    }

    /// Ends all faults.
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
