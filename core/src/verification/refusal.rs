//! Why a credential is refused.

use std::time::Duration;

use crate::verification::claims::InvalidClaims;
use crate::verification::token::{InvalidHeader, Malformed};

/// Why a credential is refused. Variants are facts; [`Denial`](crate::decision::Denial) turns them into
/// what a client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The API key does not hold.
    ApiKey(InvalidApiKey),
    /// No key of the provider made this signature.
    BadSignature,
    /// The claims do not hold.
    Claims(InvalidClaims),
    /// The token says one thing, and its provider's answer about it another.
    Contradiction,
    /// The token needs an extension that we do not have (RFC 7515 §4.1.11).
    Extension,
    /// The provider says that the token is not active.
    Inactive,
    /// The provider could not be asked about the token.
    IntrospectionUnavailable,
    /// The token's issuer is not accepted here, or the token names none.
    Issuer,
    /// The keys to verify the token with are not there.
    KeysUnavailable {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The token is no well-formed JWT, and no other token is accepted here.
    MalformedToken,
    /// Whether the credential is revoked cannot be told.
    RevocationUnavailable {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The token is revoked.
    Revoked,
    /// The credential is longer than is looked at.
    TooLarge,
    /// The token is of another type than is accepted: a refresh token, an id token.
    Type,
    /// The provider has no key of this name.
    UnknownKey,
    /// The provider does not use this algorithm, or the key is for another one.
    UnsupportedAlgorithm,
    /// No entry of a revocation list could ever name this token.
    Untraceable,
}

/// Why an API key does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidApiKey {
    /// Its `expires_at` has passed.
    Expired,
    /// Its `not_before` has not come.
    NotYetValid,
    /// It is marked as revoked, or on the revocation list.
    Revoked,
    /// Its client or tenant cannot be the value of a header.
    Unforwardable,
    /// No list of keys has it.
    Unknown,
}

// === impl Refusal ===

impl From<InvalidApiKey> for Refusal {
    fn from(invalid: InvalidApiKey) -> Self {
        Refusal::ApiKey(invalid)
    }
}

impl From<InvalidClaims> for Refusal {
    fn from(invalid: InvalidClaims) -> Self {
        Refusal::Claims(invalid)
    }
}

impl From<InvalidHeader> for Refusal {
    fn from(invalid: InvalidHeader) -> Self {
        match invalid {
            InvalidHeader::Extension => Refusal::Extension,
            InvalidHeader::Malformed => Refusal::MalformedToken,
            InvalidHeader::UnsupportedAlgorithm => Refusal::UnsupportedAlgorithm,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Refusal::MalformedToken
    }
}
