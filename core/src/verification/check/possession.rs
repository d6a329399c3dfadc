//! Proofs that a client has the key that its token is bound to.

use crate::policy::provider::Provider;
use crate::request::Request;
use crate::spent::Spent;
use crate::verification::callout::Callout;
use crate::verification::context::Context;
use crate::verification::principal::{Confirmation, Principal};
use crate::verification::proof::{self, Demand, InvalidProof, KnownProofKeys};
use crate::verification::signature::Verifier;
use crate::verification::spending::{Expense, SpentId};
use crate::verification::unverified::Unverified;

/// The last check of a token that is bound to a key: nothing is recorded for a token that does not hold.
pub(in crate::verification) fn check_possession(
    context: &Context<'_>,
    verifier: &Verifier,
    known: &mut KnownProofKeys,
    request: &Request<'_>,
    (provider, principal, token): (&Provider, &Principal, &[u8]),
) -> Result<(), Unverified> {
    let (Some(dpop), Some(Confirmation::Key(thumbprint))) =
        (&provider.dpop, principal.confirmation)
    else {
        return Ok(());
    };
    // Where the proof is spent, it held: nothing of the request has changed since, and a signature costs 80 µs.
    if let Some(spent) = context.replies.proof {
        return match spent {
            Spent::First => Ok(()),
            Spent::Again => Err(InvalidProof::Replayed.into()),
            Spent::Unrecorded => Err(InvalidProof::Unrecorded.into()),
        };
    }
    let demand = Demand {
        request,
        token,
        thumbprint,
        algorithms: dpop.algorithms,
        max_age: dpop.max_age,
        bytes: context.policy.limits.token_bytes,
    };
    let proven = proof::check(verifier, known, &demand, context.now)?;
    Err(Unverified::Await(Callout::Spend(Expense {
        id: SpentId::Proof(provider.id),
        digest: proven.digest,
        until: proven.until,
    })))
}
