//! The Envoys of the floods: a new one for each, because a VM keeps the memory that it once had.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use bench::envoy::{self, Envoy};
use bench::issuer::{Algorithm, Issuer, encode};
use bench::setup::{api_keys, fill, listener, portcullis};
use bench::traffic::{FEW_KEYS, path_of_rule};
use bench::{Result, built, root};
use serde_json::{Value, json};

use crate::services::Services;

const ENVOY: &str = include_str!("../config/floods.yaml");
const POLICY: &str = include_str!("../config/policies/floods.yaml");

/// Fewer calls than a worker of the filter has under way.
const FEW_CALLS: &str = "circuit_breakers: {thresholds: [{max_connections: 16, max_pending_requests: 128, max_requests: 128, max_retries: 8}]}";

/// The filter with rules for paths without expressions, the same with two expressions, and no filter.
pub const GATE: &str = "gate";
pub const REGEX: &str = "regex";
pub const NONE: &str = "none";

/// A path with a rule that denies.
pub const CLOSED: &str = "/closed";

/// A key of RFC 7520 §3.1, on P-521. Its private key is not used here.
const P521: [&str; 2] = [
    "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
    "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
];

/// What the Envoys of a run have in common.
pub struct Setup {
    binary: PathBuf,
    module: PathBuf,
    folder: PathBuf,
    services_port: u16,
    /// The Envoys of a smoke test, which are used again because its figures do not count.
    kept: Option<RefCell<BTreeMap<Options, Rc<Envoy>>>>,
}

/// What differs between the Envoys of a run.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Options {
    /// A circuit breaker that opens before the filter stops asking about unknown tokens, in place of Envoy's default.
    pub few_calls: bool,
    /// Whether there is a listener [`REGEX`].
    pub regex: bool,
    pub introspection_timeout: String,
    pub keys_timeout: String,
    pub keys_refetch: String,
}

/// Every key that a token here names, and two for PS256: a provider that rotates its keys has two.
pub fn jwks(issuer: &Issuer) -> Value {
    let algorithms = [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Ps256,
        Algorithm::Rs256,
    ];
    let mut keys: Vec<Value> = algorithms.map(|a| issuer.jwk(a)).to_vec();
    let mut second = issuer.jwk(Algorithm::Ps256);
    if let Some(kid) = second.get_mut("kid") {
        *kid = "ps-2".into();
    }
    keys.push(second);
    let [x, y] = P521;
    keys.push(json!({ "kty": "EC", "crv": "P-521", "kid": "es512", "alg": "ES512", "use": "sig", "x": x, "y": y }));
    json!({ "keys": keys })
}

/// The form of an ES512 signature (RFC 7518 §3.4): r and s, below the order of the curve for their zeros.
pub fn es512_signature() -> String {
    let half = [[0].as_slice(), &[0x5a; 65]].concat();
    encode([half.as_slice(), &half].concat())
}

// === impl Setup ===

impl Setup {
    /// With the Envoy and the module that the environment names, or with those of `make floods`.
    pub fn find(services: &Services, is_smoke: bool) -> Result<Self> {
        let module = match env::var_os("PORTCULLIS_WASM") {
            Some(module) => PathBuf::from(module),
            None => built("target/wasm32-wasip1/release/portcullis.wasm", "floods")?,
        };
        let folder = match is_smoke {
            true => "target/bench/floods-smoke",
            false => "target/bench/floods",
        };
        Ok(Setup {
            binary: binary()?,
            module: fs::canonicalize(module)?,
            folder: root().join(folder),
            services_port: services.port,
            kept: is_smoke.then(RefCell::default),
        })
    }

    /// An Envoy that nobody used before, unless this is a smoke test.
    pub fn envoy(&self, options: &Options) -> Result<Rc<Envoy>> {
        let Some(kept) = &self.kept else {
            return Ok(Rc::new(self.start(&self.folder, options)?));
        };
        let mut kept = kept.borrow_mut();
        if let Some(envoy) = kept.get(options) {
            return Ok(Rc::clone(envoy));
        }
        let folder = self.folder.join(kept.len().to_string());
        let envoy = Rc::new(self.start(&folder, options)?);
        kept.insert(options.clone(), Rc::clone(&envoy));
        Ok(envoy)
    }

    fn start(&self, folder: &Path, options: &Options) -> Result<Envoy> {
        let module = self.module.display().to_string();
        let filter = |name: &str, rules: Value| {
            let policy = fill(
                POLICY,
                &[
                    ("API_KEYS", &api_keys(FEW_KEYS).to_string()),
                    ("RULES", &rules.to_string()),
                    ("INTROSPECTION_TIMEOUT", &options.introspection_timeout),
                    ("KEYS_TIMEOUT", &options.keys_timeout),
                    ("KEYS_REFETCH", &options.keys_refetch),
                ],
            );
            listener(name, &portcullis(name, &module, &policy))
        };
        let mut listeners = vec![filter(GATE, json!([closed(), open()])), listener(NONE, "")];
        if options.regex {
            let rules = json!([export(), file(), closed(), open()]);
            listeners.push(filter(REGEX, rules));
        }
        let breakers = match options.few_calls {
            true => FEW_CALLS,
            false => "",
        };
        let configuration = fill(
            ENVOY,
            &[
                ("LISTENERS", &listeners.join("\n")),
                ("CIRCUIT_BREAKERS", breakers),
                ("SERVICES_PORT", &self.services_port.to_string()),
            ],
        );
        Envoy::start(&self.binary, folder, &configuration)
    }

    /// Envoy's version.
    pub fn version(&self) -> Result<String> {
        envoy::version(&self.binary)
    }

    /// The size of the module.
    pub fn module_bytes(&self) -> Result<u64> {
        Ok(fs::metadata(&self.module)?.len())
    }
}

impl Default for Options {
    /// The policy's own defaults, written out.
    fn default() -> Self {
        Options {
            few_calls: false,
            regex: false,
            introspection_timeout: "500ms".into(),
            keys_timeout: "2s".into(),
            keys_refetch: "6s".into(),
        }
    }
}

/// The path of every good request, and all below it.
fn open() -> Value {
    json!({ "match": { "path": { "prefix": path_of_rule(0) } }, "scopes": { "all": ["data:read"] } })
}

fn closed() -> Value {
    json!({ "match": { "path": { "prefix": CLOSED } }, "access": "deny" })
}

fn export() -> Value {
    json!({ "match": { "path": { "regex": "/service-[0-9]+/.*/export" } } })
}

fn file() -> Value {
    json!({ "match": { "path": { "regex": "/service-[0-9]+/([^/]+/)+[^/]+\\.(json|csv)" } } })
}

/// ENVOY_BIN, or what the tests would use.
fn binary() -> Result<PathBuf> {
    if let Some(named) = env::var_os("ENVOY_BIN") {
        return Ok(PathBuf::from(named));
    }
    let script = Command::new(root().join("scripts/envoy.sh")).output()?;
    let path = String::from_utf8(script.stdout)?;
    match path.trim() {
        "" => Err("no Envoy: set ENVOY_BIN".into()),
        path => Ok(PathBuf::from(path)),
    }
}
