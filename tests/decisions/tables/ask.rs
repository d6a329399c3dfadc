//! Requests as a client writes them.

#[derive(Clone, Debug)]
pub struct Ask(pub Vec<(String, Vec<u8>)>);

pub fn get(path: &str) -> Ask {
    Ask(Vec::new())
        .with(":method", "GET")
        .with(":scheme", "https")
        .with(":authority", "api.example.com")
        .with(":path", path)
}

/// A CORS preflight for `method`.
pub fn preflight(path: &str, method: &str) -> Ask {
    get(path)
        .method("OPTIONS")
        .with("origin", "https://app.example")
        .with("access-control-request-method", method)
}

impl Ask {
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.push((name.into(), value.as_ref().into()));
        self
    }

    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.with("authorization", format!("Bearer {}", token.as_ref()))
    }

    pub fn method(self, method: &str) -> Self {
        self.replaced(":method", method)
    }

    pub fn at(self, path: &str) -> Self {
        self.replaced(":path", path)
    }

    pub fn host(self, host: &str) -> Self {
        self.replaced(":authority", host)
    }

    fn replaced(mut self, name: &str, value: &str) -> Self {
        for (n, v) in &mut self.0 {
            if n == name {
                *v = value.into();
            }
        }
        self
    }
}
