//! What a request asks for, of what it may have.

use crate::client::Client;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::scope::Scopes;

/// The scopes of the request, or all that it may have if it names none (RFC 6749 §3.3).
pub fn scopes(allowed: &Scopes, form: &Form) -> Result<Scopes, Refusal> {
    let Some(text) = form.get("scope") else {
        return Ok(allowed.clone());
    };
    let asked = Scopes::parse(text).map_err(|_| Refusal::InvalidScope)?;
    if asked.is_subset_of(allowed) {
        Ok(asked)
    } else {
        Err(Refusal::InvalidScope)
    }
}

/// The targets of the request (RFC 8707 §2), or all of the client's audiences if it names none.
pub fn audiences<'a>(
    client: &Client,
    targets: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Refusal> {
    let mut asked: Vec<String> = Vec::new();
    for target in targets {
        if !client.audiences.iter().any(|audience| audience == target) {
            return Err(Refusal::InvalidTarget);
        }
        if !asked.iter().any(|known| known == target) {
            asked.push(target.to_owned());
        }
    }
    Ok(if asked.is_empty() {
        client.audiences.clone()
    } else {
        asked
    })
}
