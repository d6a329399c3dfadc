//! Tokens that are bound to something of their client's.

use crate::policy::location::CredentialLocation;
use crate::policy::provider::{DpopMode, Provider};
use crate::verification::callout::{Callout, Replies};
use crate::verification::claims::InvalidClaims;
use crate::verification::principal::{Confirmation, Principal};
use crate::verification::unverified::Unverified;

/// A certificate-bound token is valid only on connections with that certificate (RFC 8705 §3). One that is bound
/// to a key is valid only where a proof of it comes along: whoever takes a proof for a bearer token, or a bearer
/// token for one with a proof, makes the binding worth nothing (RFC 9449 §7.1, §7.2).
pub(in crate::verification) fn check_confirmation(
    provider: &Provider,
    principal: &Principal,
    location: &CredentialLocation,
    replies: &Replies,
) -> Result<(), Unverified> {
    let with_proof = provider.dpop.is_some() && location.is_dpop();
    let required = provider.dpop.as_ref().map(|dpop| dpop.mode) == Some(DpopMode::Required);
    match principal.confirmation {
        Some(Confirmation::Key(_)) if with_proof => Ok(()),
        Some(Confirmation::Key(_)) => Err(InvalidClaims::Confirmation.into()),
        _ if with_proof || required => Err(InvalidClaims::Confirmation.into()),
        None => Ok(()),
        Some(Confirmation::Certificate(bound)) => match replies.client_certificate {
            None => Err(Unverified::Await(Callout::ClientCertificate)),
            Some(shown) if shown == Some(bound) => Ok(()),
            Some(_) => Err(InvalidClaims::Confirmation.into()),
        },
    }
}
