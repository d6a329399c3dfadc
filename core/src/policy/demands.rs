//! What a request's caller can be asked to bring.

use std::time::Duration;

use crate::policy::claim::ClaimId;
use crate::policy::request_part::RequestPart;
use crate::scope::{self, RequiredScopes};

/// What a caller can be asked to bring: a challenge names it.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Scopes that the credential must have. Each of these, since more than one part of a rule may ask for
    /// some.
    pub scopes: Vec<RequiredScopes>,
    /// How the person must have authenticated (RFC 9470).
    pub authentication: Option<Authentication>,
    /// What a person must have approved; all of it.
    pub approvals: Vec<Approval>,
}

/// A person's approval that a token must carry (RFC 9396).
#[derive(Clone, Debug)]
pub struct Approval {
    /// The claim `authorization_details`.
    pub details: ClaimId,
    /// Its type.
    pub kind: Box<str>,
    /// What it must be for.
    pub identifier: Identifier,
    /// Whether each counts for one request, whatever the token says.
    pub once: bool,
}

/// What an approval must be for.
#[derive(Clone, Debug)]
pub enum Identifier {
    /// The tool, prompt or resource that an MCP message names; where it names none, the type is enough.
    Named,
    /// What the request has in this part. Without it, nothing is approved.
    Part(RequestPart),
}

/// No authentication could be what both of two demands want.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contradiction;

/// How, and how lately, a person must have authenticated (RFC 9470).
#[derive(Clone, Debug)]
pub struct Authentication {
    /// The `acr` claim, and the values of which it must be one.
    pub contexts: Option<(ClaimId, Vec<Box<str>>)>,
    /// The `auth_time` claim, and how old it may be.
    pub max_age: Option<(ClaimId, Duration)>,
}

// === impl Demands ===

impl Demands {
    /// What both ask.
    pub fn and(&self, more: Demands) -> Result<Demands, Contradiction> {
        let mut both = self.clone();
        both.scopes.extend(more.scopes);
        both.approvals.extend(more.approvals);
        both.authentication = match (both.authentication, more.authentication) {
            (Some(one), Some(other)) => Some(one.and(other)?),
            (one, other) => one.or(other),
        };
        Ok(both)
    }

    /// Every scope that is asked for, each once: `all`, then `any`, part by part.
    pub fn scopes_to_ask_for(&self) -> Vec<&str> {
        scope::each_once(&self.scopes)
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.scopes.iter().all(RequiredScopes::is_empty)
            && self.authentication.is_none()
            && self.approvals.is_empty()
    }
}

// === impl Authentication ===

impl Authentication {
    /// What both accept: the values that are in both lists, and the smaller age.
    fn and(mut self, other: Authentication) -> Result<Authentication, Contradiction> {
        match (&mut self.contexts, other.contexts) {
            (Some((_, one)), Some((_, other))) => {
                one.retain(|acr| other.contains(acr));
                if one.is_empty() {
                    return Err(Contradiction);
                }
            }
            (none @ None, other) => *none = other,
            (Some(_), None) => {}
        }
        self.max_age = match (self.max_age, other.max_age) {
            (Some((claim, one)), Some((_, other))) => Some((claim, one.min(other))),
            (one, other) => one.or(other),
        };
        Ok(self)
    }
}
