//! Signature algorithms by their names in JOSE, and sets of them.

/// A JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1). There is no `none`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA with Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// A set of algorithms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AlgorithmSet(u16);

// === impl Algorithm ===

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 13] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
    ];

    /// By its name, with case: `rs256` names nothing (RFC 7515 §4.1.1).
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            // RFC 9864 names the curve; with Ed25519 alone to offer, both mean the same.
            return Some(Algorithm::EdDsa);
        }
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Its name in JOSE.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Algorithm::Rs256 => 1 << 0,
            Algorithm::Rs384 => 1 << 1,
            Algorithm::Rs512 => 1 << 2,
            Algorithm::Ps256 => 1 << 3,
            Algorithm::Ps384 => 1 << 4,
            Algorithm::Ps512 => 1 << 5,
            Algorithm::Es256 => 1 << 6,
            Algorithm::Es384 => 1 << 7,
            Algorithm::Es512 => 1 << 8,
            Algorithm::EdDsa => 1 << 9,
            Algorithm::Hs256 => 1 << 10,
            Algorithm::Hs384 => 1 << 11,
            Algorithm::Hs512 => 1 << 12,
        }
    }
}

// === impl AlgorithmSet ===

impl AlgorithmSet {
    /// No algorithm.
    pub const EMPTY: Self = AlgorithmSet(0);

    /// Every asymmetric algorithm. A shared secret is the operator's explicit choice: where it
    /// is not listed, a public key can never be taken for one (CVE-2015-9235).
    pub const DEFAULT: Self = Self::of(&[
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
    ]);

    /// The set of these algorithms.
    pub const fn of(algorithms: &[Algorithm]) -> Self {
        let (mut bits, mut rest) = (0, algorithms);
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        AlgorithmSet(bits)
    }

    /// Whether the algorithm is in the set.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// Whether there is no algorithm in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The algorithms in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL
            .into_iter()
            .filter(move |algorithm| self.contains(*algorithm))
    }

    pub(super) const fn bits(self) -> u16 {
        self.0
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        algorithms
            .into_iter()
            .fold(Self::EMPTY, |set, one| AlgorithmSet(set.0 | one.bit()))
    }
}
