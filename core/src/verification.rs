//! Verifies a credential and finds out who presented it.
//!
//! [`verify`] is the order of the checks. What a check needs and keeps is in a file of its own; what the
//! worker remembers between requests is its [`State`]. Only this module makes a [`Verified`].

pub mod call;
pub mod callout;
mod check;
pub mod claims;
mod context;
mod freshness;
pub mod held_keys;
pub mod introspection;
pub mod principal;
pub mod proof;
pub mod refusal;
pub mod signature;
pub mod source;
pub mod spending;
mod state;
pub mod status_list;
pub mod token;
mod unproven;
mod unspent;
mod unverified;
mod verified;

use crate::credential::Credential;
use crate::policy::callout::Fallback;
use crate::policy::provider::Provider;
use crate::policy::requirement::Accepted;
use crate::request::Request;
use crate::verification::check::confirmation::check_confirmation;
use crate::verification::check::introspection::{AskedProvider, Proof};
use crate::verification::check::possession::check_possession;
use crate::verification::token::Form;

pub use crate::verification::context::Context;
pub use crate::verification::refusal::Refusal;
pub use crate::verification::state::State;
pub use crate::verification::unproven::Unproven;
pub use crate::verification::unspent::Unspent;
pub use crate::verification::unverified::Unverified;
pub use crate::verification::verified::{Provenance, Verified};

/// Establishes who presented `credential`, among those that `accepted` names.
pub fn verify(
    context: &Context<'_>,
    state: &mut State,
    accepted: &Accepted,
    request: &Request<'_>,
    credential: &Credential<'_>,
) -> Result<Verified, Unproven> {
    if let (Some(unspent), Some(spent)) = (&context.replies.unspent, context.replies.proof) {
        return Ok(unspent.spend(spent)?);
    }
    if credential.value.len() > context.policy.limits.token_bytes {
        return Err(Refusal::TooLarge.into());
    }
    if accepted.api_keys
        && let Some(api_keys) = &context.policy.api_keys
        && api_keys.locations.contains(credential.location)
    {
        let verified = state
            .api_keys
            .verify(context, api_keys, &credential.value)?;
        let list = api_keys.revocation_list.as_ref();
        let lists = &state.revocation_lists;
        lists.check_api_key(context, list, verified.principal())?;
        return Ok(verified);
    }
    let verified = verify_token(context, state, accepted, credential)?;
    let principal = verified.principal();
    if let Some(provider) = &principal.provider {
        let verifier = state.signatures.verifier();
        let bound = (provider.as_ref(), principal, credential.value.as_ref());
        let known = &mut state.proof_keys;
        if let Some(expense) = check_possession(context, verifier, known, request, bound)? {
            let unspent = Unspent::new(verified, expense);
            return Err(Unproven::Unspent(Box::new(unspent)));
        }
    }
    Ok(verified)
}

fn verify_token(
    context: &Context<'_>,
    state: &mut State,
    accepted: &Accepted,
    credential: &Credential<'_>,
) -> Result<Verified, Unverified> {
    let (verified, proof) = prove_token(context, state, accepted, credential)?;
    let principal = verified.principal();
    let Some(provider) = principal.provider.clone() else {
        return Err(Refusal::Issuer.into());
    };
    let location = credential.location;
    check_confirmation(&provider, principal, location, context.replies)?;
    state
        .revocation_lists
        .check_token(context, &provider, principal)?;
    state
        .status_lists
        .check(context, &state.signatures, &provider, principal)?;
    match (proof, AskedProvider::about_jwts(&provider)) {
        (Proof::Signature, Some(asked)) => confirm(context, state, asked, verified, credential),
        (Proof::Signature, None) | (Proof::Answer, _) => Ok(verified),
    }
}

/// Verifies a token by its signature if we can check it, otherwise by its provider's answer.
fn prove_token(
    context: &Context<'_>,
    state: &mut State,
    accepted: &Accepted,
    credential: &Credential<'_>,
) -> Result<(Verified, Proof), Unverified> {
    let presented = state.tokens.presented(accepted, credential);
    let signatures = &state.signatures;
    if let Some(known) = state.tokens.recall(context, signatures, &presented) {
        return Ok((known?, Proof::Signature));
    }
    let asked = accepted.introspecting_at(credential.location);
    let asked = asked.and_then(AskedProvider::new);
    let asked = match (Form::of(&credential.value)?, asked) {
        (Form::Opaque, Some(asked)) => asked,
        (Form::Opaque, None) => return Err(Refusal::MalformedToken.into()),
        (Form::Jwt(segments), Some(asked)) if asked.alone_verifies(&segments) => asked,
        (Form::Jwt(segments), _) => {
            let tokens = &mut state.tokens;
            let verified = tokens.verify(context, signatures, &presented, &segments)?;
            return Ok((verified, Proof::Signature));
        }
    };
    let introspections = &mut state.introspections;
    let verified = introspections.verify(context, asked, &credential.value)?;
    Ok((verified, Proof::Answer))
}

/// Asks the provider about a token that is verified. The answer can only take away.
fn confirm(
    context: &Context<'_>,
    state: &mut State,
    asked: AskedProvider<'_>,
    verified: Verified,
    credential: &Credential<'_>,
) -> Result<Verified, Unverified> {
    let provider: &Provider = asked.provider;
    let (token, location) = (&credential.value, credential.location);
    let introspections = &mut state.introspections;
    match introspections.ask(context, asked, token, Proof::Signature) {
        Ok((answer, provenance)) => {
            let principal = answer.narrow(context.policy, verified.shared_principal())?;
            check_confirmation(provider, &principal, location, context.replies)?;
            let lists = &state.revocation_lists;
            lists.check_answer(provider, verified.principal(), &answer.principal)?;
            Ok(verified.confirmed(principal, provenance))
        }
        Err(Unverified::Refused(Refusal::IntrospectionUnavailable))
            if asked.introspection.on_unavailable == Fallback::Allow =>
        {
            Ok(verified)
        }
        Err(unverified) => Err(unverified),
    }
}
