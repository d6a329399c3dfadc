//! Status lists that tokens refer to.

use std::rc::Rc;
use std::time::Duration;

use crate::cache::Cache;
use crate::limits;
use crate::policy::callout::{Fallback, StatusLists};
use crate::policy::provider::Provider;
use crate::secret::{Fingerprint, FingerprintKey};
use crate::verification::call::{Call, Standing};
use crate::verification::callout::{Callout, Listed, Question};
use crate::verification::check::signature::Signatures;
use crate::verification::claims::InvalidClaims;
use crate::verification::context::Context;
use crate::verification::principal::Principal;
use crate::verification::refusal::Refusal;
use crate::verification::status_list::{Reference, StatusList, StatusListToken, VALID};
use crate::verification::unverified::Unverified;

/// All status lists that a worker keeps.
const STATUS_LIST_BYTES: usize = limits::STATUS_LISTS * limits::STATUS_LIST_BYTES;

/// The status lists that a worker has verified.
#[derive(Debug)]
pub(in crate::verification) struct HeldStatusLists {
    fingerprints: FingerprintKey,
    cache: Cache<Rc<StatusList>>,
}

impl HeldStatusLists {
    pub fn new(fingerprints: FingerprintKey) -> Self {
        HeldStatusLists {
            fingerprints,
            cache: Cache::bounded(limits::STATUS_LISTS, STATUS_LIST_BYTES),
        }
    }

    /// Forgets all lists: the clock was set back, so they would be kept too long.
    pub fn forget(&mut self) {
        self.cache.clear();
    }

    /// Whether the status list that a token refers to lets it pass. Whether the token may do without was
    /// checked with its claims.
    pub fn check(
        &mut self,
        context: &Context<'_>,
        signatures: &Signatures,
        provider: &Provider,
        token: &Principal,
    ) -> Result<(), Unverified> {
        let Some(reference) = &token.status else {
            return Ok(());
        };
        let Some(lists) = &provider.status_lists else {
            return Err(InvalidClaims::Status.into());
        };
        let list = self.list(context, signatures, provider, lists, reference)?;
        match list.map(|list| list.status(reference.index)) {
            Some(Ok(VALID)) => Ok(()),
            Some(Ok(_)) => Err(Refusal::Revoked.into()),
            Some(Err(_)) => Err(InvalidClaims::Status.into()),
            None if lists.on_unavailable == Fallback::Allow => Ok(()),
            None => {
                let retry_after = Duration::ZERO;
                Err(Refusal::RevocationUnavailable { retry_after }.into())
            }
        }
    }

    /// The list that a token refers to; `None` where it cannot be had.
    fn list(
        &mut self,
        context: &Context<'_>,
        signatures: &Signatures,
        provider: &Provider,
        lists: &StatusLists,
        reference: &Reference,
    ) -> Result<Option<Rc<StatusList>>, Unverified> {
        let now = context.now;
        let uri = &reference.uri;
        let is_signed = |list: &Rc<StatusList>| signatures.is_published(provider, list.key, now);
        let fingerprint = self.fingerprint(provider, uri);
        let held = self.cache.get(fingerprint, now).filter(|l| is_signed(l));
        if let Some(list) = held {
            return Ok(Some(Rc::clone(list)));
        }
        match &context.replies.status_list {
            None => {
                let question = Question::StatusList {
                    provider: provider.id,
                    uri: uri.clone(),
                };
                let call = Box::new(call(lists, reference));
                Err(Unverified::Await(Callout::Ask(question, call)))
            }
            Some(Listed::Held(list)) => Ok(Some(Rc::clone(list)).filter(is_signed)),
            Some(Listed::Unavailable) => Ok(None),
            Some(Listed::Unverified(text)) => {
                match self.open(context, signatures, provider, uri, text) {
                    Ok(list) => Ok(Some(list)),
                    Err(Unverified::Refused(_)) => Ok(None),
                    Err(ask) => Err(ask),
                }
            }
        }
    }

    /// Verifies a list as its provider's tokens are verified, and remembers it.
    pub fn open(
        &mut self,
        context: &Context<'_>,
        signatures: &Signatures,
        provider: &Provider,
        uri: &str,
        text: &[u8],
    ) -> Result<Rc<StatusList>, Unverified> {
        let token = StatusListToken::parse(text).map_err(|_| Refusal::MalformedToken)?;
        let header = token.header();
        if !provider.algorithms.contains(header.algorithm) {
            return Err(Refusal::UnsupportedAlgorithm.into());
        }
        let key = signatures.verify(context, provider, header, token.segments())?;
        let list = token
            .open(uri, key, provider.clock_tolerance, context.now)
            .map_err(|_| Refusal::MalformedToken)?;
        let list = Rc::new(list);
        let fingerprint = self.fingerprint(provider, uri);
        let (held, bytes) = (Rc::clone(&list), list.bytes());
        self.cache
            .insert(fingerprint, held, bytes, list.expires, context.now);
        Ok(list)
    }

    fn fingerprint(&self, provider: &Provider, uri: &str) -> Fingerprint {
        let context = provider.id.0;
        self.fingerprints
            .fingerprint_within(context, uri.as_bytes())
    }
}

fn call(lists: &StatusLists, reference: &Reference) -> Call {
    let mut endpoint = lists.endpoint.clone();
    endpoint.path = reference.path(lists).into();
    Call {
        endpoint,
        standing: Standing::Known,
        method: "GET",
        headers: vec![("accept", (*b"application/statuslist+jwt").into())],
        body: Vec::new(),
    }
}
