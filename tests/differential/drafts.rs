//! Tokens that are unusual in one way, and whether the RFCs let them in.

use serde_json::json;

use super::random::Random;
use super::ring::{OTHER_ISSUER, Ring};
use crate::envoy::harness::client::{Request, get, request};
use crate::envoy::harness::keys::{Key, encode};
use crate::envoy::harness::now;
use crate::envoy::harness::policy::{AUDIENCE, ISSUER};

/// Seconds that a valid token is good for, so that no case depends on when it is sent.
const LIFETIME: i64 = 36_000;

/// Whether the RFCs and the documented rules let the token in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Truth {
    Good,
    Bad,
    /// Left to the comparison.
    Unknown,
}

/// What of a token a mutation changes: two that change the same would undo each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Goes with another carriage, and with nothing else.
    All,
    Carriage,
    Claims,
    Encoding,
    Header,
    Signature,
}

/// A token as it goes out, and the texts in it.
pub struct Sealed {
    pub header: Vec<u8>,
    pub claims: Vec<u8>,
    pub token: Vec<u8>,
}

type Edit = Box<dyn Fn(Vec<u8>) -> Vec<u8>>;

/// A token in the making.
pub struct Draft<'r> {
    pub signer: &'r Key,
    /// Names and values as JSON text.
    header: Vec<(String, String)>,
    claims: Vec<(String, String)>,
    header_edits: Vec<Edit>,
    claims_edits: Vec<Edit>,
    signature_edits: Vec<Edit>,
    token_edits: Vec<Edit>,
    /// Instead of the signature.
    signature: Option<Vec<u8>>,
    der: bool,
    carriage: Option<Carriage>,
}

type Carriage = Box<dyn Fn(&[u8]) -> Request>;

impl<'r> Draft<'r> {
    pub fn good(signer: &'r Key) -> Self {
        let now = now();
        let quoted = |text: &str| json!(text).to_string();
        Self {
            signer,
            header: vec![
                ("\"alg\"".into(), quoted(signer.alg)),
                ("\"kid\"".into(), quoted(&signer.kid)),
                ("\"typ\"".into(), "\"JWT\"".into()),
            ],
            claims: vec![
                ("\"iss\"".into(), quoted(ISSUER)),
                ("\"sub\"".into(), "\"alice\"".into()),
                ("\"aud\"".into(), quoted(AUDIENCE)),
                ("\"iat\"".into(), now.to_string()),
                ("\"exp\"".into(), (now + LIFETIME).to_string()),
            ],
            header_edits: Vec::new(),
            claims_edits: Vec::new(),
            signature_edits: Vec::new(),
            token_edits: Vec::new(),
            signature: None,
            der: false,
            carriage: None,
        }
    }

    fn claim(&mut self, name: &str, value: impl Into<String>) {
        set(&mut self.claims, name, value.into());
    }

    fn member(&mut self, name: &str, value: impl Into<String>) {
        set(&mut self.header, name, value.into());
    }

    pub fn seal(&self) -> Sealed {
        let text = |members: &[(String, String)], edits: &[Edit]| {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{name}:{value}"))
                .collect();
            let text = format!("{{{}}}", members.join(",")).into_bytes();
            edits.iter().fold(text, |text, edit| edit(text))
        };
        let header = text(&self.header, &self.header_edits);
        let claims = text(&self.claims, &self.claims_edits);
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = match &self.signature {
            Some(fixed) => fixed.clone(),
            None if self.der => self.signer.der_signature(signed.as_bytes()),
            None => self.signer.signature(signed.as_bytes()),
        };
        let signature = self
            .signature_edits
            .iter()
            .fold(signature, |text, edit| edit(text));
        let token = format!("{signed}.{}", encode(signature)).into_bytes();
        let token = self.token_edits.iter().fold(token, |text, edit| edit(text));
        Sealed {
            header,
            claims,
            token,
        }
    }

    pub fn request(&self, token: &[u8]) -> Request {
        match &self.carriage {
            Some(carriage) => carriage(token),
            None => get("/").bearer(token),
        }
    }
}

/// Replaces a member, or adds it; an empty value takes it away.
fn set(members: &mut Vec<(String, String)>, name: &str, value: String) {
    let name = format!("\"{name}\"");
    let at = members.iter().position(|(other, _)| *other == name);
    match (at, value.is_empty()) {
        (Some(at), true) => {
            members.remove(at);
        }
        (Some(at), false) => members[at].1 = value,
        (None, true) => {}
        (None, false) => members.push((name, value)),
    }
}

// === mutations ===

type Apply = Box<dyn for<'r> Fn(&mut Draft<'r>, &'r Ring, &mut Random)>;

pub struct Mutation {
    /// What is odd about the token: the classes of disagreements name these.
    pub quirk: &'static str,
    /// Which of them this one is.
    pub variant: String,
    pub truth: Truth,
    part: Part,
    apply: Apply,
}

impl Mutation {
    pub fn apply<'r>(&self, draft: &mut Draft<'r>, ring: &'r Ring, random: &mut Random) {
        (self.apply)(draft, ring, random);
    }

    pub fn is_noise(&self) -> bool {
        self.quirk.starts_with("noise")
    }

    /// Whether both can be done to one token, this one first.
    pub fn goes_with(&self, other: &Self) -> bool {
        match (self.part, other.part) {
            (Part::Carriage, _) => false,
            (_, Part::Carriage) => true,
            (Part::Claims, other) => !matches!(other, Part::All | Part::Claims),
            _ => false,
        }
    }
}

struct Mutations {
    all: Vec<Mutation>,
    /// Of those that are added next.
    part: Part,
}

use Truth::{Bad, Good, Unknown};

impl Mutations {
    fn add(
        &mut self,
        quirk: &'static str,
        variant: impl Into<String>,
        truth: Truth,
        apply: impl for<'r> Fn(&mut Draft<'r>, &'r Ring, &mut Random) + 'static,
    ) {
        self.all.push(Mutation {
            quirk,
            variant: variant.into(),
            truth,
            part: self.part,
            apply: Box::new(apply),
        });
    }

    fn claim(&mut self, quirk: &'static str, truth: Truth, name: &'static str, values: &[&str]) {
        for value in values {
            let value = (*value).to_owned();
            let variant = format!("{name} = {value}");
            self.add(quirk, variant, truth, move |draft, _, _| {
                draft.claim(name, value.clone())
            });
        }
    }

    fn member(&mut self, quirk: &'static str, truth: Truth, name: &'static str, values: &[&str]) {
        for value in values {
            let value = (*value).to_owned();
            let variant = format!("{name} = {value}");
            self.add(quirk, variant, truth, move |draft, _, _| {
                draft.member(name, value.clone())
            });
        }
    }

    fn token(
        &mut self,
        quirk: &'static str,
        variant: &str,
        truth: Truth,
        edit: fn(Vec<u8>) -> Vec<u8>,
    ) {
        self.add(quirk, variant, truth, move |draft, _, _| {
            draft.token_edits.push(Box::new(edit))
        });
    }

    fn signature(
        &mut self,
        quirk: &'static str,
        variant: &str,
        truth: Truth,
        edit: fn(Vec<u8>) -> Vec<u8>,
    ) {
        self.add(quirk, variant, truth, move |draft, _, _| {
            draft.signature_edits.push(Box::new(edit))
        });
    }

    fn texts(
        &mut self,
        quirk: &'static str,
        variant: &str,
        truth: Truth,
        edit: fn(Vec<u8>) -> Vec<u8>,
    ) {
        self.add(
            quirk,
            format!("header, {variant}"),
            truth,
            move |draft, _, _| draft.header_edits.push(Box::new(edit)),
        );
        self.add(
            quirk,
            format!("claims, {variant}"),
            truth,
            move |draft, _, _| draft.claims_edits.push(Box::new(edit)),
        );
    }

    fn carried(
        &mut self,
        quirk: &'static str,
        truth: Truth,
        before: &'static str,
        after: &'static str,
    ) {
        let variant = format!("{before:?} token {after:?}");
        self.add(quirk, variant, truth, move |draft, _, _| {
            draft.carriage = Some(Box::new(move |token| {
                let value = [before.as_bytes(), token, after.as_bytes()].concat();
                get("/").header("authorization", value)
            }));
        });
    }
}

fn wrap(before: &[u8], text: Vec<u8>, after: &[u8]) -> Vec<u8> {
    [before, &text, after].concat()
}

fn segments(token: &[u8], edit: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let mut segments: Vec<Vec<u8>> = token
        .split(|byte| *byte == b'.')
        .map(<[u8]>::to_vec)
        .collect();
    edit(&mut segments);
    segments.join(&b'.')
}

/// Sets bits of a segment's last character that stand for no byte; `None` where it has none such.
fn with_trailing_bits(segment: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (last, rest) = segment.split_last()?;
    let value = ALPHABET.iter().position(|byte| byte == last)?;
    (!segment.len().is_multiple_of(4)).then(|| [rest, &[ALPHABET[value | 1]]].concat())
}

pub fn mutations() -> Vec<Mutation> {
    let mut all = Mutations {
        all: Vec::new(),
        part: Part::All,
    };
    for (part, add) in [
        (Part::Claims, times as fn(&mut Mutations)),
        (Part::Claims, claims),
        (Part::All, providers),
        (Part::Header, header),
        (Part::All, json_text),
        (Part::Encoding, encoding),
        (Part::Signature, signatures),
        (Part::Carriage, carriage),
        (Part::All, noise),
    ] {
        all.part = part;
        add(&mut all);
    }
    all.all
}

fn times(all: &mut Mutations) {
    let shifted = |all: &mut Mutations, quirk, truth, name: &'static str, shifts: &[i64]| {
        for shift in shifts.iter().copied() {
            all.add(
                quirk,
                format!("{name} = now {shift:+}"),
                truth,
                move |draft, _, _| {
                    draft.claim(name, (now() + shift).to_string());
                },
            );
        }
    };
    shifted(all, "expired", Bad, "exp", &[-45, -300, -86_400]);
    shifted(all, "expired within the tolerance", Good, "exp", &[-5]);
    shifted(all, "early", Bad, "nbf", &[60, 300, 86_400]);
    shifted(all, "early within the tolerance", Good, "nbf", &[10]);
    shifted(all, "issued in the future", Good, "iat", &[90, 86_400]);
    all.claim("no exp", Bad, "exp", &[""]);
    all.claim(
        "exp long ago",
        Bad,
        "exp",
        &["0", "1", "1e3", "0.5", "1.5e9", "-0", "0e0"],
    );
    all.claim("negative exp", Bad, "exp", &["-1", "-4e9", "-1e300"]);
    all.claim(
        "exp as a fraction or with an exponent",
        Good,
        "exp",
        &[
            "4e9",
            "4E+9",
            "4000000000.5",
            "40000000000e-1",
            "4.0e9",
            "4000000000.999999999999",
        ],
    );
    all.claim(
        "`exp` beyond the year 9999",
        Bad,
        "exp",
        &[
            "253402300800",
            "1e12",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551616",
            "1e18",
            "1e300",
        ],
    );
    all.claim(
        "number beyond a double",
        Bad,
        "exp",
        &["1e400", "-1e400", "1e99999999999"],
    );
    all.claim(
        "exp of another type",
        Bad,
        "exp",
        &[
            "\"4000000000\"",
            "null",
            "true",
            "[4000000000]",
            "{}",
            "\"\"",
        ],
    );
    all.claim("negative `nbf`", Good, "nbf", &["-1", "-4e9", "-0.5"]);
    all.claim(
        "nbf as a fraction or with an exponent",
        Good,
        "nbf",
        &["0", "1e9", "1.5", "1e0", "1E-7"],
    );
    all.claim(
        "nbf far ahead",
        Bad,
        "nbf",
        &[
            "4e9",
            "9223372036854775807",
            "9223372036854775808",
            "1e18",
            "1e300",
        ],
    );
    all.claim(
        "nbf of another type",
        Bad,
        "nbf",
        &["\"0\"", "null", "false", "[0]", "{}"],
    );
    all.claim("negative `iat`", Good, "iat", &["-1", "-4e9"]);
    all.claim(
        "iat as a fraction or with an exponent",
        Good,
        "iat",
        &["1e9", "1.5", "0"],
    );
    all.claim(
        "iat of another type",
        Bad,
        "iat",
        &["\"0\"", "null", "false", "[0]", "{}"],
    );
    all.claim(
        "`iat` beyond the year 9999",
        Bad,
        "iat",
        &["1e12", "9223372036854775808", "1e300"],
    );
    all.claim("no iat", Good, "iat", &[""]);
}

fn claims(all: &mut Mutations) {
    all.claim(
        "audience among others",
        Good,
        "aud",
        &[
            "[\"api-gateway\"]",
            "[\"a\",\"api-gateway\"]",
            "[\"\",\"api-gateway\"]",
            "\"api\\u002dgateway\"",
        ],
    );
    all.claim(
        "audience with a scheme or a slash at its end",
        Bad,
        "aud",
        &[
            "\"api-gateway/\"",
            "\"https://api-gateway\"",
            "\"http://api-gateway/\"",
            "[\"https://api-gateway/\"]",
            "\"https://api-gateway/\"",
        ],
    );
    all.claim(
        "another audience",
        Bad,
        "aud",
        &[
            "\"API-gateway\"",
            "\"api-gatewa\"",
            "\"api-gateway2\"",
            "\"api-gateway \"",
            "\" api-gateway\"",
            "\"api-gateway\\u0000\"",
            "\"\"",
            "[]",
            "[\"a\",\"b\"]",
            "",
            "\"a api-gateway\"",
            "\"a,api-gateway\"",
            "\"api-gateway//\"",
            "\"api-gateway#\"",
            "\"api\u{2010}gateway\"",
            "\"*\"",
            "\"/\"",
            "\"https://\"",
        ],
    );
    all.claim(
        "audience of another type",
        Bad,
        "aud",
        &[
            "7",
            "null",
            "true",
            "{}",
            "{\"api-gateway\":1}",
            "[[\"api-gateway\"]]",
        ],
    );
    all.claim(
        "audience among other types",
        Bad,
        "aud",
        &[
            "[\"api-gateway\",7]",
            "[null,\"api-gateway\"]",
            "[\"api-gateway\",[]]",
        ],
    );
    all.claim(
        "another issuer",
        Bad,
        "iss",
        &[
            "\"https://idp.example.com\"",
            "\"https://IDP.example.com/\"",
            "\"https://idp.example.com//\"",
            "\"HTTPS://idp.example.com/\"",
            "\"https://idp.example.com/ \"",
            "\" https://idp.example.com/\"",
            "\"https://idp.example.com/\\u0000\"",
            "\"https://evil.example/\"",
            "\"https://idp.example.com:443/\"",
            "\"https://idp.example.com/?\"",
            "\"\"",
            "",
        ],
    );
    all.claim(
        "issuer of another type",
        Bad,
        "iss",
        &["null", "7", "[\"https://idp.example.com/\"]", "{}", "true"],
    );
    all.claim(
        "issuer escaped",
        Good,
        "iss",
        &[
            "\"https:\\/\\/idp.example.com\\/\"",
            "\"\\u0068ttps://idp.example.com/\"",
        ],
    );
    all.claim(
        "subject of another type",
        Bad,
        "sub",
        &["7", "null", "[\"alice\"]", "{}", "true"],
    );
    all.claim("no subject", Good, "sub", &[""]);
    all.claim(
        "unusual subject",
        Good,
        "sub",
        &[
            "\"\"",
            "\"a b\"",
            "\"a,b\"",
            "\"\\u00e9\"",
            "\"\u{e9}\"",
            "\"\\ud83d\\ude00\"",
            "\"a\\\"b\\\\c\"",
            "\"%0d%0a\"",
            "\"auth0|5\"",
            "\"a\\u2028b\"",
        ],
    );
    all.claim(
        "subject with outer white space",
        Bad,
        "sub",
        &[
            "\"admin \"",
            "\" admin\"",
            "\" \"",
            "\"admin\\u00a0\"",
            "\"\\u2028admin\"",
        ],
    );
    all.claim(
        "subject with a control character",
        Bad,
        "sub",
        &[
            "\"admin\\t\"",
            "\"a\\u0000b\"",
            "\"a\\r\\nx-auth-scopes: admin\"",
            "\"a\\nb\"",
            "\"\\u007f\"",
            "\"\\u001f\"",
        ],
    );
    all.claim(
        "jti of another type",
        Bad,
        "jti",
        &["7", "null", "[]", "{}"],
    );
    all.claim("other claims", Good, "jti", &["\"1\"", "\"\""]);
    all.claim(
        "other claims",
        Good,
        "scope",
        &["\"a b\"", "7", "[\"a\"]", "null"],
    );
    all.claim(
        "other claims",
        Good,
        "x",
        &[
            "-0",
            "1e308",
            "1E-400",
            "123456789012345678901234567890",
            "[]",
            "{}",
            "\"\\/\\b\\f\\n\\r\\t\"",
            "[1,[2,[3]]]",
            "{\"a\":{\"a\":1}}",
            "\"\\u0000\"",
            "\"\u{2028}\"",
            "\"\u{10ffff}\"",
            "0.1e1",
        ],
    );
    all.claim(
        "number beyond a double",
        Bad,
        "x",
        &["1e400", "-1e999", "[1e400]", "{\"a\":1e309}"],
    );
    all.claim(
        "`cnf`",
        Bad,
        "cnf",
        &[
            "{\"jkt\":\"x\"}",
            "{}",
            "{\"x5t#S256\":\"AAAA\"}",
            "null",
            "\"x\"",
            "{\"jwk\":{}}",
        ],
    );
    for depth in [20, 90] {
        all.claim(
            "nested",
            Good,
            "x",
            &[&format!("{}{}", "[".repeat(depth), "]".repeat(depth))],
        );
        all.claim(
            "nested",
            Good,
            "x",
            &[&format!(
                "{}1{}",
                "{\"a\":".repeat(depth),
                "}".repeat(depth)
            )],
        );
    }
    for depth in [200, 2000] {
        all.claim(
            "nested too deeply",
            Bad,
            "x",
            &[&format!("{}{}", "[".repeat(depth), "]".repeat(depth))],
        );
        all.claim(
            "nested too deeply",
            Bad,
            "x",
            &[&format!(
                "{}1{}",
                "{\"a\":".repeat(depth),
                "}".repeat(depth)
            )],
        );
    }
}

fn providers(all: &mut Mutations) {
    all.add(
        "another provider's token",
        "its own key",
        Good,
        |draft, ring, _| {
            draft.signer = &ring.other;
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "\"other\"");
            draft.claim("iss", json!(OTHER_ISSUER).to_string());
        },
    );
    all.add("another provider's key", "by kid", Bad, |draft, ring, _| {
        draft.signer = &ring.other;
        draft.member("alg", "\"ES256\"");
        draft.member("kid", "\"other\"");
    });
    all.add(
        "another provider's key",
        "without kid",
        Bad,
        |draft, ring, _| {
            draft.signer = &ring.other;
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "");
        },
    );
    all.add(
        "another provider's issuer",
        "our key",
        Bad,
        |draft, _, _| draft.claim("iss", json!(OTHER_ISSUER).to_string()),
    );
}

fn header(all: &mut Mutations) {
    all.member(
        "alg in another case",
        Bad,
        "alg",
        &[
            "\"rs256\"",
            "\"Es256\"",
            "\"eddsa\"",
            "\"EDDSA\"",
            "\"hs256\"",
        ],
    );
    all.member(
        "no algorithm",
        Bad,
        "alg",
        &[
            "\"none\"",
            "\"None\"",
            "\"NONE\"",
            "\"nOnE\"",
            "\"\"",
            "",
            "null",
            "7",
            "[\"RS256\"]",
            "\"none \"",
        ],
    );
    all.member(
        "unknown algorithm",
        Bad,
        "alg",
        &[
            "\"ES256K\"",
            "\"RS1\"",
            "\"RSA\"",
            "\"HS1\"",
            "\"dir\"",
            "\"A128KW\"",
            "\"RS256\\u0000\"",
            "\" RS256\"",
            "\"Ed448\"",
            "\"ESP256\"",
            "\"SHA256\"",
            "\"ML-DSA-44\"",
        ],
    );
    all.add("`alg` of another key", "any", Bad, |draft, ring, random| {
        let others: Vec<&Key> = ring
            .signers
            .iter()
            .filter(|key| key.alg != draft.signer.alg)
            .collect();
        let alg = random.pick(&others).alg;
        draft.member("alg", format!("\"{alg}\""));
    });
    for alg in [
        "RS256", "PS256", "ES256", "ES384", "EdDSA", "HS384", "HS512",
    ] {
        all.add(
            "`alg` of another key",
            format!("{alg} of an HMAC key"),
            Bad,
            move |draft, ring, _| {
                draft.signer = ring
                    .signers
                    .iter()
                    .find(|key| key.alg == "HS256")
                    .expect("a key");
                draft.member("kid", "\"oct-256\"");
                draft.member("alg", format!("\"{alg}\""));
            },
        );
    }
    all.add(
        "none without a signature",
        "empty third segment",
        Bad,
        |draft, _, _| {
            draft.member("alg", "\"none\"");
            draft.signature = Some(Vec::new());
        },
    );
    all.add(
        "`Ed25519` for `EdDSA`",
        "RFC 9864",
        Good,
        |draft, ring, _| {
            draft.signer = ring
                .signers
                .iter()
                .find(|key| key.alg == "EdDSA")
                .expect("a key");
            draft.member("kid", "\"ed\"");
            draft.member("alg", "\"Ed25519\"");
        },
    );
    all.member(
        "`crit`",
        Bad,
        "crit",
        &[
            "[\"b64\"]",
            "[]",
            "[\"exp\"]",
            "null",
            "\"x\"",
            "[\"http://example.com/x\"]",
            "{}",
            "false",
        ],
    );
    all.member("`b64`", Bad, "b64", &["false", "true", "null", "\"false\""]);
    all.add("`b64` with `crit`", "RFC 7797", Bad, |draft, _, _| {
        draft.member("b64", "false");
        draft.member("crit", "[\"b64\"]");
    });
    all.member(
        "typ",
        Good,
        "typ",
        &[
            "\"JWT\"",
            "\"jwt\"",
            "\"at+jwt\"",
            "\"application/at+jwt\"",
            "\"APPLICATION/JWT\"",
            "",
        ],
    );
    all.member(
        "`typ` of another kind of token",
        Bad,
        "typ",
        &[
            "\"logout+jwt\"",
            "\"dpop+jwt\"",
            "\"secevent+jwt\"",
            "\"kb+jwt\"",
            "\"JOSE\"",
            "\"\"",
            "\"id_token\"",
            "\"Refresh\"",
        ],
    );
    all.member(
        "`typ` that is no string",
        Bad,
        "typ",
        &["7", "null", "[\"JWT\"]", "{}", "true"],
    );
    all.member("no kid", Good, "kid", &[""]);
    all.member("empty `kid`", Bad, "kid", &["\"\""]);
    all.member(
        "unknown kid",
        Bad,
        "kid",
        &[
            "\"nobody\"",
            "\"../../dev/null\"",
            "\"' or 1=1 --\"",
            "\"RSA\"",
            "\"rsa \"",
            "\"rsa\\u0000\"",
            "\"*\"",
        ],
    );
    all.member(
        "kid of another type",
        Bad,
        "kid",
        &["7", "null", "[\"rsa\"]", "{}", "true"],
    );
    all.add("kid of another key", "any", Bad, |draft, ring, random| {
        let others: Vec<&Key> = ring
            .signers
            .iter()
            .filter(|key| key.kid != draft.signer.kid)
            .collect();
        let kid = json!(random.pick(&others).kid).to_string();
        draft.member("kid", kid);
    });
    all.member(
        "embedded key",
        Good,
        "jwk",
        &["{\"kty\":\"oct\",\"k\":\"AAAA\"}", "7", "null"],
    );
    all.member(
        "embedded key",
        Good,
        "jku",
        &["\"https://evil.example/jwks\"", "7"],
    );
    all.member(
        "embedded key",
        Good,
        "x5u",
        &["\"https://evil.example/x5\""],
    );
    all.member("embedded key", Good, "x5c", &["[\"MIIB\"]", "[]"]);
    all.member("embedded key", Good, "x5t", &["\"AAAA\""]);
    all.add("signed by an embedded key", "jwk", Bad, |draft, ring, _| {
        draft.signer = &ring.stranger;
        draft.member("alg", "\"ES256\"");
        draft.member("jwk", ring.stranger.jwk().to_string());
    });
    all.add(
        "signed by an embedded key",
        "jwk, no kid",
        Bad,
        |draft, ring, _| {
            draft.signer = &ring.stranger;
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "");
            draft.member("jwk", ring.stranger.jwk().to_string());
        },
    );
    all.member(
        "other members of the header",
        Good,
        "cty",
        &["\"JWT\"", "7"],
    );
    all.member(
        "other members of the header",
        Good,
        "x",
        &["[{}]", "\"\\u0000\"", "1e3"],
    );
    all.member("JWE members", Good, "enc", &["\"A128GCM\""]);
    all.member("JWE members", Good, "zip", &["\"DEF\""]);
    all.member(
        "nested too deeply",
        Bad,
        "x",
        &[&format!("{}{}", "[".repeat(200), "]".repeat(200))],
    );
    all.member("number beyond a double", Bad, "x", &["1e400"]);
}

fn json_text(all: &mut Mutations) {
    // A member twice: the second one counts for some, the first one for others.
    for (name, value) in [
        ("sub", "\"admin\""),
        ("sub", "\"alice\""),
        ("aud", "\"other\""),
        ("iss", "\"https://evil.example/\""),
        ("exp", "9999999999"),
        ("exp", "1"),
    ] {
        all.add(
            "duplicate member",
            format!("claims, {name} = {value} last"),
            Bad,
            move |draft, _, _| {
                draft.claims.push((format!("\"{name}\""), value.to_owned()));
            },
        );
        all.add(
            "duplicate member",
            format!("claims, {name} = {value} first"),
            Bad,
            move |draft, _, _| {
                draft
                    .claims
                    .insert(0, (format!("\"{name}\""), value.to_owned()));
            },
        );
    }
    all.add(
        "duplicate member",
        "claims, one name escaped",
        Bad,
        |draft, _, _| {
            draft
                .claims
                .push(("\"s\\u0075b\"".into(), "\"admin\"".into()));
        },
    );
    all.claim(
        "duplicate member",
        Bad,
        "x",
        &[
            "{\"a\":1,\"a\":2}",
            "[{\"a\":1,\"a\":1}]",
            "{\"b\":{\"a\":1,\"\\u0061\":1}}",
        ],
    );
    for (name, value) in [
        ("alg", "\"none\""),
        ("alg", "\"HS256\""),
        ("kid", "\"nobody\""),
        ("kid", "\"rsa\""),
        ("typ", "\"JWT\""),
        ("x", "1"),
    ] {
        all.add(
            "duplicate member",
            format!("header, {name} = {value} last"),
            Bad,
            move |draft, _, _| {
                draft.header.push(("\"x\"".into(), "1".into()));
                draft.header.push((format!("\"{name}\""), value.to_owned()));
            },
        );
        all.add(
            "duplicate member",
            format!("header, {name} = {value} first"),
            Bad,
            move |draft, _, _| {
                draft.header.push(("\"x\"".into(), "1".into()));
                draft
                    .header
                    .insert(0, (format!("\"{name}\""), value.to_owned()));
            },
        );
    }
    all.add(
        "member in another case",
        "Exp, Iss and Aud besides",
        Good,
        |draft, _, _| {
            for (name, value) in [
                ("Exp", "1"),
                ("ISS", "\"x\""),
                ("Aud", "\"x\""),
                ("SUB", "\"admin\""),
            ] {
                draft.claims.push((format!("\"{name}\""), value.to_owned()));
            }
        },
    );
    all.add(
        "member in another case",
        "EXP instead",
        Bad,
        |draft, _, _| {
            draft.claim("EXP", (now() + LIFETIME).to_string());
            draft.claim("exp", "");
        },
    );
    all.add("member name escaped", "\\u0065xp", Good, |draft, _, _| {
        draft.claim("exp", "");
        draft
            .claims
            .push(("\"\\u0065xp\"".into(), (now() + LIFETIME).to_string()));
    });
    all.texts("white space", "around", Good, |text| {
        wrap(b" \t\r\n", text, b"\n ")
    });
    all.texts("white space", "within", Good, |text| {
        String::from_utf8(text)
            .expect("text")
            .replacen(',', " ,\n\t", 1)
            .into_bytes()
    });
    all.texts("space that JSON has not", "U+00A0", Bad, |text| {
        wrap("\u{a0}".as_bytes(), text, b"")
    });
    all.texts("space that JSON has not", "form feed", Bad, |text| {
        wrap(b"\x0c", text, b"\x0b")
    });
    all.texts("byte order mark", "before", Bad, |text| {
        wrap("\u{feff}".as_bytes(), text, b"")
    });
    all.texts("UTF-16", "little endian", Bad, |text| {
        text.iter().flat_map(|byte| [*byte, 0]).collect()
    });
    all.texts("trailing bytes", "another object", Bad, |text| {
        wrap(b"", text, b"{}")
    });
    all.texts("trailing bytes", "a NUL", Bad, |text| {
        wrap(b"", text, b"\0")
    });
    all.texts("trailing bytes", "a letter", Bad, |text| {
        wrap(b"", text, b"x")
    });
    all.texts("trailing bytes", "a comma", Bad, |text| {
        wrap(b"", text, b",")
    });
    all.texts("no object", "array", Bad, |text| wrap(b"[", text, b"]"));
    all.texts("no object", "string", Bad, |text| {
        json!(String::from_utf8_lossy(&text))
            .to_string()
            .into_bytes()
    });
    all.texts("no object", "number", Bad, |_| b"7".to_vec());
    all.texts("no object", "null", Bad, |_| b"null".to_vec());
    all.texts("no object", "nothing", Bad, |_| Vec::new());
    all.texts("no object", "empty object", Bad, |_| b"{}".to_vec());
    all.texts(
        "text that only lax readers take for JSON",
        "trailing comma",
        Bad,
        |mut text| {
            text.insert(text.len() - 1, b',');
            text
        },
    );
    all.texts(
        "text that only lax readers take for JSON",
        "leading comma",
        Bad,
        |mut text| {
            text.insert(1, b',');
            text
        },
    );
    all.texts(
        "text that only lax readers take for JSON",
        "single quotes",
        Bad,
        |text| {
            text.iter()
                .map(|byte| if *byte == b'"' { b'\'' } else { *byte })
                .collect()
        },
    );
    all.texts(
        "text that only lax readers take for JSON",
        "names without quotes",
        Bad,
        |text| {
            let mut text = String::from_utf8(text).expect("text");
            for name in ["alg", "kid", "iss", "sub", "aud", "exp"] {
                text = text.replace(&format!("\"{name}\":"), &format!("{name}:"));
            }
            text.into_bytes()
        },
    );
    all.texts(
        "text that only lax readers take for JSON",
        "a comment",
        Bad,
        |text| wrap(b"", text, b"/* x */"),
    );
    all.texts(
        "text that only lax readers take for JSON",
        "a comment within",
        Bad,
        |mut text| {
            text.splice(1..1, b"/**/".iter().copied());
            text
        },
    );
    all.texts(
        "text that only lax readers take for JSON",
        "unclosed",
        Bad,
        |mut text| {
            text.pop();
            text
        },
    );
    all.texts(
        "text that only lax readers take for JSON",
        "no comma",
        Bad,
        |text| {
            String::from_utf8(text)
                .expect("text")
                .replacen(',', " ", 1)
                .into_bytes()
        },
    );
    for value in [
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "True",
        "01",
        "+1",
        ".5",
        "5.",
        "0x10",
        "1e",
        "1_000",
        "--1",
        "'a'",
        "undefined",
        "00",
        "-",
        "1.e3",
        "-01",
    ] {
        all.claim(
            "text that only lax readers take for JSON",
            Bad,
            "x",
            &[value],
        );
    }
    for value in [
        "\"\\x41\"",
        "\"\\'\"",
        "\"\\0\"",
        "\"\\u12\"",
        "\"\\u{41}\"",
        "\"a\tb\"",
        "\"a\nb\"",
        "\"a\u{1}b\"",
        "\"\\U00000041\"",
        "\"\\a\"",
        "\"\\",
    ] {
        all.claim(
            "text that only lax readers take for JSON",
            Bad,
            "x",
            &[value],
        );
    }
    for value in [
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800x\"",
        "\"\\udfff\\ud800\"",
        "\"\\uD83D\"",
    ] {
        all.claim("lone surrogate", Bad, "x", &[value]);
        all.claim("lone surrogate", Bad, "sub", &[value]);
        all.member("lone surrogate", Bad, "x", &[value]);
    }
    for (name, bytes) in [
        ("a stray byte", b"\xff".as_slice()),
        ("Latin-1", b"\xe9"),
        ("overlong", b"\xc0\xaf"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
        ("cut short", b"\xe2\x82"),
    ] {
        for place in ["claims", "header", "sub"] {
            all.add(
                "invalid UTF-8",
                format!("{place}, {name}"),
                Bad,
                move |draft, _, _| {
                    let name = if place == "sub" { "sub" } else { "x" };
                    let edit: Edit = Box::new(move |text| replaced(&text, b"@@", bytes));
                    if place == "header" {
                        draft.member(name, "\"@@\"");
                        draft.header_edits.push(edit);
                    } else {
                        draft.claim(name, "\"@@\"");
                        draft.claims_edits.push(edit);
                    }
                },
            );
        }
    }
}

fn replaced(text: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let at = text.windows(what.len()).position(|window| window == what);
    let at = at.expect("what is replaced is there");
    [&text[..at], with, &text[at + what.len()..]].concat()
}

fn encoding(all: &mut Mutations) {
    for number in 0..3 {
        let place = ["header", "claims", "signature"][number];
        let mut edit = |quirk, variant: &str, edit: fn(&mut Vec<u8>)| {
            all.add(
                quirk,
                format!("{place}, {variant}"),
                Bad,
                move |draft, _, _| {
                    draft.token_edits.push(Box::new(move |token| {
                        segments(&token, |all| edit(&mut all[number]))
                    }));
                },
            );
        };
        edit("padding", "one", |segment| segment.push(b'='));
        edit("padding", "as base64 has it", |segment| {
            segment.push(b'=');
            while segment.len() % 4 != 0 {
                segment.push(b'=');
            }
        });
        edit("padding", "escaped", |segment| segment.extend(b"%3D"));
        if number > 0 {
            edit("white space in a segment", "space before", |segment| {
                segment.insert(0, b' ')
            });
        }
        edit("white space in a segment", "space within", |segment| {
            segment.insert(segment.len() / 2, b' ')
        });
        edit("white space in a segment", "tab within", |segment| {
            segment.insert(segment.len() / 2, b'\t')
        });
        edit("characters outside the alphabet", "star", |segment| {
            segment.insert(segment.len() / 2, b'*')
        });
        edit("characters outside the alphabet", "tilde", |segment| {
            segment.push(b'~')
        });
        edit("characters outside the alphabet", "plus", |segment| {
            segment.push(b'+')
        });
        edit(
            "characters outside the alphabet",
            "slash within",
            |segment| segment.insert(segment.len() / 2, b'/'),
        );
        edit("characters outside the alphabet", "non-ASCII", |segment| {
            segment.extend(b"\xc3\xa9")
        });
        edit(
            "characters outside the alphabet",
            "percent escape",
            |segment| {
                let first = segment.remove(0);
                segment.splice(0..0, format!("%{first:02X}").into_bytes());
            },
        );
        edit("a character more in a segment", "A", |segment| {
            segment.push(b'A')
        });
        edit("one character less", "last", |segment| {
            segment.pop();
        });
        edit("empty segment", "", Vec::clear);
    }
    for number in 0..3 {
        let place = ["header", "claims", "signature"][number];
        all.add("trailing bits", place, Bad, move |draft, ring, _| {
            // A key of a signature and texts of a length that leave bits unused.
            draft.signer = ring
                .signers
                .iter()
                .find(|key| key.alg == "ES256")
                .expect("a key");
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "\"p256\"");
            draft.header_edits.push(Box::new(unaligned));
            draft.claims_edits.push(Box::new(unaligned));
            draft.token_edits.push(Box::new(move |token| {
                segments(&token, |all| {
                    all[number] = with_trailing_bits(&all[number]).expect("unused bits")
                })
            }));
        });
    }
    all.add("standard alphabet", "signature", Bad, |draft, _, _| {
        draft.token_edits.push(Box::new(|token| {
            segments(&token, |all| {
                all[2] = all[2]
                    .iter()
                    .map(|byte| match byte {
                        b'-' => b'+',
                        b'_' => b'/',
                        other => *other,
                    })
                    .collect();
                // A signature may have neither of the two.
                if !all[2].iter().any(|byte| b"+/".contains(byte)) {
                    all[2][0] = b'+';
                }
            })
        }));
    });
    all.add("standard alphabet", "claims", Bad, |draft, _, _| {
        draft.claim("x", "\"\u{fb}\u{ff}\u{bf}>>>???\"");
        draft.token_edits.push(Box::new(|token| {
            segments(&token, |all| {
                all[1] = all[1]
                    .iter()
                    .map(|byte| match byte {
                        b'-' => b'+',
                        b'_' => b'/',
                        other => *other,
                    })
                    .collect()
            })
        }));
    });
    all.token(
        "dots too many or too few",
        "a fourth segment",
        Bad,
        |token| wrap(b"", token, b".AAAA"),
    );
    all.token(
        "dots too many or too few",
        "a dot at the end",
        Bad,
        |token| wrap(b"", token, b"."),
    );
    all.token(
        "dots too many or too few",
        "a dot at the beginning",
        Bad,
        |token| wrap(b".", token, b""),
    );
    all.token("dots too many or too few", "two dots", Bad, |token| {
        segments(&token, |all| all.insert(1, Vec::new()))
    });
    all.token("dots too many or too few", "two segments", Bad, |token| {
        segments(&token, |all| {
            all.pop();
        })
    });
    all.token("dots too many or too few", "one segment", Bad, |token| {
        segments(&token, |all| all.truncate(1))
    });
    all.token("dots too many or too few", "five segments", Bad, |token| {
        segments(&token, |all| {
            let last = all[2].clone();
            all.extend([last.clone(), last]);
        })
    });
    all.token("dots too many or too few", "dots alone", Bad, |_| {
        b"..".to_vec()
    });
    all.token("segments in another order", "reversed", Bad, |token| {
        segments(&token, |all| all.reverse())
    });
    all.token("segments in another order", "claims twice", Bad, |token| {
        segments(&token, |all| all[2] = all[1].clone())
    });
    all.token("escaped token", "the dots", Bad, |token| {
        segments(&token, |_| ())
            .iter()
            .flat_map(|byte| {
                if *byte == b'.' {
                    b"%2E".to_vec()
                } else {
                    vec![*byte]
                }
            })
            .collect()
    });
    all.token("case of the token", "lower", Bad, |token| {
        token.to_ascii_lowercase()
    });
    all.token("case of the token", "upper", Bad, |token| {
        token.to_ascii_uppercase()
    });
    all.token("base64url twice", "all of it", Bad, |token| {
        encode(token).into_bytes()
    });
    all.token("more than 16 KiB", "20,000 bytes", Bad, |token| {
        wrap(b"", token, &[b'A'; 20_000])
    });
    all.claim("large", Good, "x", &[&json!("a".repeat(8000)).to_string()]);
    all.claim(
        "more than 16 KiB",
        Bad,
        "x",
        &[&json!("a".repeat(13_000)).to_string()],
    );
}

/// The text with spaces behind it, so many that base64url has unused bits in its last character.
fn unaligned(mut text: Vec<u8>) -> Vec<u8> {
    while text.len() % 3 != 1 {
        text.push(b' ');
    }
    text
}

fn signatures(all: &mut Mutations) {
    all.signature(
        "signature changed",
        "a bit of the first byte",
        Bad,
        |mut signature| {
            signature[0] ^= 1;
            signature
        },
    );
    all.signature(
        "signature changed",
        "a bit of the last byte",
        Bad,
        |mut signature| {
            *signature.last_mut().expect("bytes") ^= 1;
            signature
        },
    );
    all.signature("signature changed", "a byte more", Bad, |signature| {
        wrap(b"", signature, b"\0")
    });
    all.signature("signature changed", "a zero before", Bad, |signature| {
        wrap(b"\0", signature, b"")
    });
    all.signature("signature changed", "a byte less", Bad, |mut signature| {
        signature.pop();
        signature
    });
    all.signature(
        "signature changed",
        "without its first byte",
        Bad,
        |mut signature| {
            signature.remove(0);
            signature
        },
    );
    all.signature("signature changed", "none", Bad, |_| Vec::new());
    all.signature("signature changed", "twice", Bad, |signature| {
        signature.repeat(2)
    });
    all.signature("signature changed", "reversed", Bad, |mut signature| {
        signature.reverse();
        signature
    });
    all.signature(
        "signature changed",
        "halves exchanged",
        Bad,
        |mut signature| {
            let half = signature.len() / 2;
            signature.rotate_left(half);
            signature
        },
    );
    all.signature("signature of zeros", "all", Bad, |signature| {
        vec![0; signature.len()]
    });
    all.signature(
        "signature of zeros",
        "r or the first half",
        Bad,
        |mut signature| {
            let half = signature.len() / 2;
            signature[..half].fill(0);
            signature
        },
    );
    all.signature(
        "signature of zeros",
        "s or the second half",
        Bad,
        |mut signature| {
            let half = signature.len() / 2;
            signature[half..].fill(0);
            signature
        },
    );
    all.signature("signature of ones", "all", Bad, |signature| {
        vec![0xff; signature.len()]
    });
    fn p256<'r>(draft: &mut Draft<'r>, ring: &'r Ring) {
        draft.signer = ring
            .signers
            .iter()
            .find(|key| key.alg == "ES256")
            .expect("a key");
        draft.member("alg", "\"ES256\"");
        draft.member("kid", "\"p256\"");
    }
    all.add("ECDSA with a byte more", "ES256", Bad, |draft, ring, _| {
        p256(draft, ring);
        draft
            .signature_edits
            .push(Box::new(|signature| wrap(b"", signature, b"\0")));
    });
    all.add("ECDSA in DER", "ES256", Bad, |draft, ring, _| {
        p256(draft, ring);
        draft.der = true;
    });
    all.add("ECDSA with the other s", "ES256", Good, |draft, ring, _| {
        p256(draft, ring);
        draft.signature_edits.push(Box::new(|signature| {
            let signature = p256::ecdsa::Signature::from_slice(&signature).expect("r and s");
            let (r, s) = signature.split_scalars();
            let other = p256::ecdsa::Signature::from_scalars(r, -s).expect("not zero");
            other.to_bytes().to_vec()
        }));
    });
    /// The order of P-256 (FIPS 186-5).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];
    for (variant, half) in [("r is the order", 0..32), ("s is the order", 32..64)] {
        all.add("ECDSA out of range", variant, Bad, move |draft, ring, _| {
            p256(draft, ring);
            let half = half.clone();
            draft.signature_edits.push(Box::new(move |mut signature| {
                signature[half.clone()].copy_from_slice(&ORDER);
                signature
            }));
        });
    }
    all.add(
        "Ed25519 with s beyond the order",
        "s + L",
        Bad,
        |draft, ring, _| {
            draft.signer = ring
                .signers
                .iter()
                .find(|key| key.alg == "EdDSA")
                .expect("a key");
            draft.member("alg", "\"EdDSA\"");
            draft.member("kid", "\"ed\"");
            draft.signature_edits.push(Box::new(plus_order));
        },
    );
    all.add(
        "key of low order",
        "the neutral element",
        Bad,
        |draft, _, _| {
            draft.member("alg", "\"EdDSA\"");
            draft.member("kid", "\"neutral\"");
            let mut signature = vec![0; 64];
            signature[0] = 1;
            draft.signature = Some(signature);
        },
    );
    for (number, form) in [
        "PEM",
        "PEM and a line feed",
        "DER",
        "modulus",
        "JWK",
        "nothing",
    ]
    .into_iter()
    .enumerate()
    {
        for kid in ["\"rsa\"", ""] {
            all.add(
                "public key as HMAC secret",
                format!("{form}, kid {kid:?}"),
                Bad,
                move |draft, ring, _| {
                    draft.signer = &ring.public[number];
                    draft.member("alg", "\"HS256\"");
                    draft.member("kid", kid);
                },
            );
        }
    }
    all.add(
        "stranger's key",
        "kid of a known one",
        Bad,
        |draft, ring, _| {
            draft.signer = &ring.stranger;
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "\"p256\"");
        },
    );
    all.add(
        "key without `kid`",
        "the token names an unknown one",
        Bad,
        |draft, ring, _| {
            draft.signer = &ring.unnamed;
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "\"nowhere\"");
        },
    );
    all.add("key for another use", "use enc", Bad, |draft, ring, _| {
        draft.signer = &ring.encrypting;
        draft.member("alg", "\"ES256\"");
        draft.member("kid", "\"enc\"");
    });
    all.add(
        "key for another use",
        "key_ops wrapKey",
        Bad,
        |draft, ring, _| {
            draft.signer = &ring.wrapping;
            draft.member("alg", "\"ES256\"");
            draft.member("kid", "\"wrap\"");
        },
    );
    all.add("short HMAC key", "10 bytes", Bad, |draft, ring, _| {
        draft.signer = &ring.short;
        draft.member("alg", "\"HS256\"");
        draft.member("kid", "\"short\"");
    });
    for number in 0..2 {
        all.add(
            "two keys of one kid",
            ["the first", "the second"][number],
            Good,
            move |draft, ring, _| {
                draft.signer = &ring.twins[number];
                draft.member("alg", "\"ES256\"");
                draft.member("kid", "\"twin\"");
            },
        );
    }
}

/// Adds the order of Ed25519's group (RFC 8032 §5.1) to the second half.
fn plus_order(mut signature: Vec<u8>) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, addend) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(addend) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    signature
}

fn carriage(all: &mut Mutations) {
    for scheme in ["bearer ", "BEARER "] {
        all.carried("scheme in another case", Good, scheme, "");
    }
    all.carried("several spaces", Good, "Bearer  ", "");
    all.carried("several spaces", Good, "Bearer     ", "");
    all.carried("outer white space", Good, "  Bearer ", "  ");
    all.carried("outer white space", Good, "\tBearer ", "\t");
    all.carried("tab after the scheme", Bad, "Bearer\t", "");
    all.carried("tab after the scheme", Bad, "Bearer \t", "");
    all.carried("tab after the scheme", Bad, "bearer\t", "");
    all.carried("no space after the scheme", Bad, "Bearer", "");
    all.carried("no space after the scheme", Bad, "Bearer:", "");
    all.carried("no space after the scheme", Bad, "Bearer=", "");
    all.carried("no space after the scheme", Bad, "Bearer\u{a0}", "");
    all.carried("no scheme", Bad, "", "");
    for scheme in [
        "Token ", "Basic ", "JWT ", "DPoP ", "Bear ", "XBearer ", "BearerX ", "ApiKey ",
    ] {
        all.carried("another scheme (`XBearer`)", Bad, scheme, "");
    }
    for before in [
        "Token Bearer ",
        "Basic eDp5 Bearer ",
        "XBearer Bearer ",
        "x; Bearer ",
        "\"Bearer \" Bearer ",
    ] {
        all.carried("the scheme further on (`Token Bearer …`)", Bad, before, "");
    }
    for (before, after) in [
        ("Bearer ", " x"),
        ("Bearer ", " tok.en.x"),
        ("Bearer ", ";x"),
        ("Bearer ", ";"),
        ("Bearer ", "\""),
        ("Bearer ", "%20"),
        ("Bearer ", " Bearer"),
        ("Bearer ", "\tx"),
        ("Bearer ", "|"),
        ("Bearer ", "\u{a0}"),
        ("Bearer ", "\u{200b}"),
    ] {
        all.carried("text behind the token", Bad, before, after);
    }
    for (before, after) in [
        ("Bearer \"", "\""),
        ("Bearer <", ">"),
        ("Bearer token=", ""),
        ("Bearer Bearer ", ""),
        ("Bearer :", ""),
        ("Bearer \"", ""),
        ("Bearer realm=x ", ""),
        ("Bearer (", ")"),
        ("Bearer ;", ""),
    ] {
        all.carried("text before the token", Bad, before, after);
    }
    for (before, after) in [
        ("Bearer ", ","),
        ("Bearer ", ",x"),
        ("Bearer ", ", Bearer x"),
        ("Bearer ,", ""),
        ("Bearer x, Bearer ", ""),
        ("Basic eDp5, Bearer ", ""),
        ("Bearer ", ", Basic eDp5"),
        (", Bearer ", ""),
        ("Bearer x,", ""),
        ("Basic a=b,Bearer ", ""),
    ] {
        all.carried("a comma in the value", Bad, before, after);
    }
    let lines = |all: &mut Mutations,
                 variant: &str,
                 before: &'static [&'static str],
                 after: &'static [&'static str]| {
        all.add(
            "two Authorization headers",
            variant,
            Bad,
            move |draft, _, _| {
                draft.carriage = Some(Box::new(move |token| {
                    let mut request = get("/");
                    for value in before {
                        request = request.header("authorization", value);
                    }
                    request = request.bearer(token);
                    for value in after {
                        request = request.header("Authorization", value);
                    }
                    request
                }));
            },
        );
    };
    lines(all, "a Basic one first", &["Basic eDp5"], &[]);
    lines(all, "a Basic one last", &[], &["Basic eDp5"]);
    lines(all, "a malformed Bearer first", &["Bearer x"], &[]);
    lines(all, "a malformed Bearer last", &[], &["Bearer x"]);
    all.add(
        "two Authorization headers",
        "the same token",
        Bad,
        |draft, _, _| {
            draft.carriage = Some(Box::new(|token| get("/").bearer(token).bearer(token)));
        },
    );
    // Envoy joins an empty one without a comma: neither filter can see it.
    all.add(
        "empty Authorization header besides",
        "first",
        Good,
        |draft, _, _| {
            draft.carriage = Some(Box::new(|token| {
                get("/").header("authorization", "").bearer(token)
            }));
        },
    );
    all.add(
        "empty Authorization header besides",
        "last",
        Good,
        |draft, _, _| {
            draft.carriage = Some(Box::new(|token| {
                get("/").bearer(token).header("authorization", "")
            }));
        },
    );
    all.add("elsewhere", "query", Bad, |draft, _, _| {
        draft.carriage = Some(Box::new(|token| {
            get([b"/?access_token=".as_slice(), token].concat())
        }));
    });
    all.add("elsewhere", "cookie", Bad, |draft, _, _| {
        draft.carriage = Some(Box::new(|token| {
            get("/").header("cookie", [b"session=".as_slice(), token].concat())
        }));
    });
    for name in [
        "proxy-authorization",
        "x-authorization",
        "authorization2",
        "x-forwarded-authorization",
        "x-auth-subject",
        "token",
    ] {
        all.add("elsewhere", name, Bad, move |draft, _, _| {
            draft.carriage = Some(Box::new(move |token| {
                get("/").header(name, [b"Bearer ".as_slice(), token].concat())
            }));
        });
    }
    for value in [
        "Bearer",
        "Bearer ",
        "",
        "Bearer  ",
        "bearer",
        "Basic eDp5",
        "Bearer .",
        "Bearer ..",
        "Bearer opaque",
        "Bearer a.b.c",
        "Bearer =",
    ] {
        all.add("no token", value, Bad, move |draft, _, _| {
            draft.carriage = Some(Box::new(move |_| get("/").header("authorization", value)));
        });
    }
    all.add("no token", "no header", Bad, |draft, _, _| {
        draft.carriage = Some(Box::new(|_| get("/")))
    });
    all.add("request with a body", "POST", Good, |draft, _, _| {
        draft.carriage = Some(Box::new(|token| {
            request("POST", "/").bearer(token).body("{\"a\":1}")
        }));
    });
    all.add("spoofed identity", "x-auth-subject", Good, |draft, _, _| {
        draft.carriage = Some(Box::new(|token| {
            get("/").bearer(token).header("x-auth-subject", "root")
        }));
    });
}

/// Where noise goes: anywhere, or among the last three bytes.
#[derive(Clone, Copy)]
enum Place {
    Anywhere(u64),
    FromEnd(usize),
}

impl Place {
    fn draw(random: &mut Random) -> Self {
        match random.once_in(5) {
            true => Self::FromEnd(1 + random.below(3)),
            false => Self::Anywhere(random.next()),
        }
    }

    /// An index into so many bytes.
    fn within(self, length: usize) -> usize {
        match self {
            Self::Anywhere(number) => usize::try_from(number % length as u64).expect("an index"),
            Self::FromEnd(number) => length.saturating_sub(number),
        }
    }
}

fn noise(all: &mut Mutations) {
    all.add("noise in the token", "a byte", Bad, |draft, _, random| {
        let (place, flip) = (Place::draw(random), random.next());
        draft.token_edits.push(Box::new(move |mut token| {
            let at = place.within(token.len());
            let flipped = token[at] ^ (1 << (flip % 8));
            token[at] = if matches!(flipped, b'\r' | b'\n') {
                b'!'
            } else {
                flipped
            };
            token
        }));
    });
    all.add(
        "noise in the token",
        "a character of the alphabet",
        Bad,
        |draft, _, random| {
            let (place, by) = (Place::draw(random), random.next());
            draft.token_edits.push(Box::new(move |mut token| {
                const ALPHABET: &[u8] =
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let at = place.within(token.len());
                let by = ALPHABET[usize::try_from(by % 64).expect("an index")];
                token[at] = if token[at] == by { b'.' } else { by };
                token
            }));
        },
    );
    for text in ["header", "claims"] {
        all.add(
            "noise in signed JSON",
            text,
            Unknown,
            move |draft, _, random| {
                let (place, kind, byte) = (
                    Place::draw(random),
                    random.below(4),
                    u8::try_from(random.below(256)).expect("a byte"),
                );
                let edit: Edit = Box::new(move |mut text| {
                    let at = place.within(text.len());
                    match kind {
                        0 => text[at] = byte,
                        1 => text.insert(at, byte),
                        2 => {
                            text.remove(at);
                        }
                        _ => text.insert(at, b"{}[],:\"\\ 0eE+-.tfnu/"[usize::from(byte) % 20]),
                    }
                    text
                });
                match text {
                    "header" => draft.header_edits.push(edit),
                    _ => draft.claims_edits.push(edit),
                }
            },
        );
    }
}
