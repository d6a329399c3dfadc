//! The lists of vectors, which every implementation is held against.

pub mod attacks;
pub mod cookbook;
pub mod rfc;
pub mod vector;
pub mod wycheproof;

use vector::Vector;

/// Each list by its name. Those from outside the repository are empty where that is not at hand.
pub fn all() -> Vec<(&'static str, Vec<Vector>)> {
    vec![
        ("the RFCs", rfc::vectors()),
        ("the JOSE cookbook", cookbook::jose_cookbook()),
        (
            "tokens of other libraries",
            cookbook::tokens_of_other_libraries(),
        ),
        ("the attack catalogue", attacks::tokens()),
        ("Wycheproof, RSA PKCS #1 v1.5", wycheproof::rsa_pkcs1_v1_5()),
        ("Wycheproof, RSA PSS", wycheproof::rsa_pss()),
        (
            "Wycheproof, ECDSA",
            wycheproof::ecdsa_in_the_form_of_p1363(),
        ),
        ("Wycheproof, Ed25519", wycheproof::ed25519()),
        ("Wycheproof, HMAC", wycheproof::hmac()),
    ]
}
