//! What our filter and `jwt_authn` make of one token.

use portcullis_testing::printable;
use serde_json::Value;

use super::drafts::{Draft, Mutation, Sealed, Truth, mutations};
use super::pair::{self, Channel, Listener, Reading, portcullis};
use super::random::Random;
use super::ring::{self, Ring};
use crate::envoy::harness::client::Answer;
use crate::envoy::harness::envoy::Envoy;

/// What a filter made of a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// With what the upstream would have seen: the subject, and whether a credential.
    Passed { subject: String, credential: bool },
    /// It passed, and what it put into a header broke the answer that repeats it.
    Broke,
    /// Our code, or what `jwt_authn` says.
    Refused(String),
    /// Envoy refused before either filter saw the request.
    Envoy(u16),
}

pub struct Comparison<'m> {
    pub mutations: Vec<&'m Mutation>,
    pub algorithm: &'static str,
    pub truth: Truth,
    pub sealed: Sealed,
    pub ours: Outcome,
    /// Ours once more, with `allow_on_headers_stop_iteration`.
    pub ours_with_flag: Outcome,
    pub theirs: Outcome,
}

pub struct Gateway {
    ring: Ring,
    mutations: Vec<Mutation>,
    ours: Channel,
    ours_with_flag: Channel,
    theirs: Channel,
    _envoy: Envoy,
}

impl Gateway {
    pub fn start() -> Self {
        let ring = Ring::new();
        let listener = |name: &str, reading: Reading, filter: Value| Listener {
            name: name.to_owned(),
            reading,
            filter: Some(filter),
            virtual_hosts: ring::virtual_hosts(),
        };
        let plain = Reading::RECOMMENDED;
        let flag = Reading {
            allow_on_headers_stop_iteration: true,
            ..plain
        };
        let policy = ring::policy(&ring);
        let envoy = pair::start(&[
            listener("ours", plain, portcullis(&policy, plain)),
            listener("ours with the flag", flag, portcullis(&policy, flag)),
            listener("theirs", plain, ring::jwt_authn(&ring)),
        ]);
        let channel = |name| Channel::to(envoy.listener(name).expect("a listener"));
        Self {
            mutations: mutations(),
            ours: channel("ours"),
            ours_with_flag: channel("ours with the flag"),
            theirs: channel("theirs"),
            ring,
            _envoy: envoy,
        }
    }

    /// Every mutation by itself, then so many that are drawn.
    pub fn compare(
        &mut self,
        cases: usize,
        random: &mut Random,
        mut judge: impl FnMut(Comparison<'_>),
    ) {
        let Self {
            ring,
            mutations,
            ours,
            ours_with_flag,
            theirs,
            ..
        } = self;
        let signers = ring.signers.len();
        for number in 0..mutations.len() + cases {
            let (signer, chosen) = match mutations.get(number) {
                Some(mutation) => (number % signers, vec![mutation]),
                None => (random.below(signers), choose(mutations, random)),
            };
            let signer = &ring.signers[signer];
            let mut draft = Draft::good(signer);
            for mutation in &chosen {
                mutation.apply(&mut draft, ring, random);
            }
            let sealed = draft.seal();
            let request = draft.request(&sealed.token);
            let outcome =
                |channel: &mut Channel| channel.send(&request).map(|answer| Outcome::of(&answer));
            let our =
                |channel| outcome(channel).unwrap_or_else(|error| panic!("{error}: {request:?}"));
            judge(Comparison {
                algorithm: draft.signer.alg,
                truth: truth(&chosen),
                mutations: chosen,
                sealed,
                ours: our(ours),
                ours_with_flag: our(ours_with_flag),
                theirs: outcome(theirs).unwrap_or(Outcome::Broke),
            });
        }
    }
}

/// None, one or two mutations.
fn choose<'m>(mutations: &'m [Mutation], random: &mut Random) -> Vec<&'m Mutation> {
    let first = &mutations[random.below(mutations.len())];
    let second = &mutations[random.below(mutations.len())];
    match random.below(10) {
        0 => Vec::new(),
        1..=2 => {
            let noise = mutations.iter().filter(|mutation| mutation.is_noise());
            vec![random.pick(&noise.collect::<Vec<_>>())]
        }
        3..=6 if first.goes_with(second) => vec![first, second],
        _ => vec![first],
    }
}

/// One fault makes a token bad, whatever else is odd about it.
fn truth(mutations: &[&Mutation]) -> Truth {
    let has = |truth| mutations.iter().any(|mutation| mutation.truth == truth);
    match (has(Truth::Bad), has(Truth::Unknown)) {
        (true, _) => Truth::Bad,
        (false, true) => Truth::Unknown,
        (false, false) => Truth::Good,
    }
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        if answer.header("x-passed").is_some() {
            let seen = |name: &str| answer.header(name).unwrap_or_default();
            return Self::Passed {
                subject: printable(seen("x-seen-subject").as_bytes()),
                credential: !seen("x-seen-authorization").is_empty(),
            };
        }
        match answer.json() {
            Ok(body) if body["code"].is_string() => {
                Self::Refused(body["code"].as_str().unwrap_or_default().to_owned())
            }
            _ if answer.status == 401 => {
                Self::Refused(String::from_utf8_lossy(&answer.body).into_owned())
            }
            _ => Self::Envoy(answer.status),
        }
    }

    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. } | Self::Broke)
    }
}

impl Comparison<'_> {
    /// What is wrong whatever the table says.
    pub fn fault(&self) -> Option<&'static str> {
        match (&self.ours, self.truth) {
            _ if self.ours != self.ours_with_flag => Some("the flag changes our verdict"),
            (
                Outcome::Passed {
                    credential: true, ..
                },
                _,
            ) => Some("the credential goes on to the upstream"),
            (ours, Truth::Bad) if ours.passed() => Some("we let a bad token in"),
            (ours, Truth::Good) if !ours.passed() => Some("we refuse a good token"),
            (ours, _) if ours.passed() && self.theirs.passed() && self.ours != self.theirs => {
                Some("both let it in, as different callers")
            }
            _ => None,
        }
    }

    pub fn agrees(&self) -> bool {
        self.ours.passed() == self.theirs.passed()
    }

    pub fn shown(&self) -> String {
        let mutations = self.mutations.iter();
        let mutations: Vec<String> = mutations
            .map(|mutation| format!("{} ({})", mutation.quirk, mutation.variant))
            .collect();
        let shown = |text: &[u8]| printable(&text[..text.len().min(600)]);
        format!(
            "{} [{}], {:?}: ours {:?}, theirs {:?}\n    header {}\n    claims {}\n    token {}",
            self.algorithm,
            mutations.join("; "),
            self.truth,
            self.ours,
            self.theirs,
            shown(&self.sealed.header),
            shown(&self.sealed.claims),
            shown(&self.sealed.token),
        )
    }
}
