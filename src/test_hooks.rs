//! What tests need from inside a real Envoy. It is compiled with the feature `test-hooks` alone,
//! which the released module never has.

use std::cell::{Cell, OnceCell};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::host_abi;
use crate::host_signatures::verify_by_host;
use portcullis_core::keys::{Algorithm, Candidates, KeySet, Origin};
use portcullis_core::request::Request;
use portcullis_core::verification::signature::Verifier;
use proxy_wasm::types::Action;

thread_local! {
    static VERIFIER: OnceCell<Verifier> = const { OnceCell::new() };
    /// Whether the host has given an answer since this was last asked.
    static HOST_ANSWERED: Cell<bool> = const { Cell::new(false) };
    static VM: OnceCell<String> = const { OnceCell::new() };
}

/// Does what the header `x-test-hook` asks for; `None` where there is none.
pub fn intercept(request: &Request<'_>) -> Option<Action> {
    match request.header("x-test-hook")? {
        b"trap" => std::process::abort(),
        b"signature" => match is_signature(request) {
            Some(is_good) => {
                let verified_by = match HOST_ANSWERED.take() {
                    true => "host",
                    false => "rust",
                };
                let status = if is_good { 200 } else { 403 };
                answer(status, &[("x-test-hook-verified-by", verified_by)]);
            }
            None => answer(400, &[]),
        },
        b"vm" => answer(200, &[("x-test-hook-vm", &vm())]),
        _ => return None,
    }
    Some(Action::Pause)
}

fn answer(status: u16, headers: &[(&str, &str)]) {
    // The test sees what it gets.
    let _ = host_abi::send_local_response(status, "portcullis_test_hook", headers, &[], None);
}

/// Whether the signature that the headers describe holds, by what requests are verified with;
/// `None` where they describe none, lest a broken test take that for a refusal.
fn is_signature(request: &Request<'_>) -> Option<bool> {
    let bytes = |name| URL_SAFE_NO_PAD.decode(request.header(name)?).ok();
    let name = std::str::from_utf8(request.header("x-test-hook-algorithm")?).ok()?;
    let algorithm = Algorithm::parse(name)?;
    let set = bytes("x-test-hook-jwks")?;
    let (message, signature) = (
        bytes("x-test-hook-message")?,
        bytes("x-test-hook-signature")?,
    );
    let Ok((set, _)) = KeySet::parse(&set, Origin::Inline) else {
        return Some(false);
    };
    let Candidates::Keys(mut keys) = set.candidates(algorithm, None) else {
        return Some(false);
    };
    let is_good = VERIFIER.with(|verifier| {
        let verifier = verifier.get_or_init(verifier_that_tells);
        // Choosing the verifier asked the host, too.
        HOST_ANSWERED.set(false);
        keys.any(|key| {
            verifier
                .verify(algorithm, key, &message, &signature)
                .is_ok()
        })
    });
    Some(is_good)
}

/// The verifier that requests meet, which notes when the host answers.
fn verifier_that_tells() -> Verifier {
    Verifier::choose(Box::new(|argument| {
        let answer = verify_by_host(argument)?;
        HOST_ANSWERED.set(true);
        Some(answer)
    }))
}

/// A name of this VM: the one that takes its place has another.
fn vm() -> String {
    VM.with(|vm| {
        vm.get_or_init(|| getrandom::u64().unwrap_or_default().to_string())
            .clone()
    })
}
