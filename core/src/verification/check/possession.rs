//! Proofs that a client has the key that its token is bound to.

use crate::policy::provider::Provider;
use crate::request::Request;
use crate::verification::context::Context;
use crate::verification::principal::{Confirmation, Principal};
use crate::verification::proof::{self, Demand, InvalidProof, KnownProofKeys};
use crate::verification::signature::Verifier;
use crate::verification::spending::{Expense, SpentId};

/// The last check of a token that is bound to a key: nothing is recorded for a token that does not hold. What has to
/// be spent, so that the proof counts; `None` where none is needed.
pub(in crate::verification) fn check_possession(
    context: &Context<'_>,
    verifier: &Verifier,
    known: &mut KnownProofKeys,
    request: &Request<'_>,
    (provider, principal, token): (&Provider, &Principal, &[u8]),
) -> Result<Option<Expense>, InvalidProof> {
    let (Some(dpop), Some(Confirmation::Key(thumbprint))) =
        (&provider.dpop, principal.confirmation)
    else {
        return Ok(None);
    };
    let demand = Demand {
        request,
        token,
        thumbprint,
        algorithms: dpop.algorithms,
        max_age: dpop.max_age,
        bytes: context.policy.limits.token_bytes,
    };
    let proven = proof::check(verifier, known, &demand, context.now)?;
    Ok(Some(Expense {
        id: SpentId::Proof(provider.id),
        digest: proven.digest,
        until: proven.until,
    }))
}
