//! Tokens that are bound to a client certificate.

use crate::verification::callout::{Callout, Replies};
use crate::verification::claims::InvalidClaims;
use crate::verification::principal::Principal;
use crate::verification::unverified::Unverified;

/// A certificate-bound token is valid only on connections with that certificate (RFC 8705 §3).
pub(in crate::verification) fn check_confirmation(
    principal: &Principal,
    replies: &Replies,
) -> Result<(), Unverified> {
    match (principal.confirmation, replies.client_certificate) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Unverified::Await(Callout::ClientCertificate)),
        (Some(bound), Some(shown)) if shown == Some(bound) => Ok(()),
        (Some(_), Some(_)) => Err(InvalidClaims::Confirmation.into()),
    }
}
