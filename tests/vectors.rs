//! Known signatures, good and bad, each judged by every implementation that is at hand.
//!
//! The lists are plain data, apart from who judges them: here it is what runs without a host. The
//! tests on a real Envoy hold the same lists against the host's verifier.

#[path = "vectors/lists.rs"]
mod lists;

mod vectors {
    mod decoder;
    mod key_sets;
    mod native;
    mod oracle;
}
