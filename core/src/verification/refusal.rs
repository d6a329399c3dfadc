//! Why a credential is refused.

use std::time::Duration;

use crate::verification::claims::InvalidClaims;
use crate::verification::proof::InvalidProof;
use crate::verification::token::{InvalidHeader, Malformed};

/// Why a credential is refused. Variants are facts; [`Denial`](crate::decision::Denial) turns them into
/// what a client is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The API key is not valid.
    ApiKey(InvalidApiKey),
    /// No key of the provider made this signature.
    BadSignature,
    /// The claims are not valid.
    Claims(InvalidClaims),
    /// The token and its provider's answer contradict each other.
    Contradiction,
    /// The token needs an extension that we do not support (RFC 7515 §4.1.11).
    Extension,
    /// The provider says that the token is not active.
    Inactive,
    /// The provider could not be asked about the token.
    IntrospectionUnavailable,
    /// The token's issuer is not accepted here, or the token names none.
    Issuer,
    /// The keys to verify the token with are not available.
    KeysUnavailable {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The token is not a well-formed JWT, and no other kind is accepted here.
    MalformedToken,
    /// The token is bound to a key, and the proof of it is refused.
    Proof(InvalidProof),
    /// It is not known whether the credential is revoked.
    RevocationUnavailable {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The token is revoked.
    Revoked,
    /// The credential is longer than the limit.
    TooLarge,
    /// The token is of another type than is accepted: a refresh token, an id token.
    Type,
    /// The provider has no key of this name.
    UnknownKey,
    /// The provider does not use this algorithm, or the key is for another one.
    UnsupportedAlgorithm,
    /// The token has no name that an entry of a revocation list could have.
    Untraceable,
}

/// Why an API key is not valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidApiKey {
    /// Its `expires_at` has passed.
    Expired,
    /// Its `not_before` is in the future.
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

impl From<InvalidProof> for Refusal {
    fn from(invalid: InvalidProof) -> Self {
        Refusal::Proof(invalid)
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Refusal::MalformedToken
    }
}
