//! Where a request may carry a credential.

/// One place in a request that may hold a credential.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CredentialLocation {
    /// A header field.
    Header {
        /// In lower case.
        name: Box<str>,
        /// What comes before the credential in its value.
        prefix: Prefix,
    },
    /// A parameter of the query.
    Query {
        /// Compared with case, after form decoding.
        name: Box<str>,
    },
    /// A cookie.
    Cookie {
        /// Compared with case.
        name: Box<str>,
    },
}

/// What comes before the credential in a header's value.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Prefix {
    /// Nothing: the whole value is the credential.
    None,
    /// An authentication scheme (RFC 9110 §11.1) in lower case, matched without case and followed by
    /// one or more spaces. In the configuration: a `prefix` that is a token and one space.
    Scheme(Box<str>),
    /// Any other prefix, matched as it is.
    Literal(Box<str>),
}

// === impl CredentialLocation ===

impl CredentialLocation {
    /// Where a token is that is bound to a key of its client (RFC 9449 §7.1).
    pub fn dpop() -> Self {
        CredentialLocation::Header {
            name: "authorization".into(),
            prefix: Prefix::Scheme("dpop".into()),
        }
    }

    /// Whether it is `Authorization: DPoP`.
    pub fn is_dpop(&self) -> bool {
        match self {
            CredentialLocation::Header {
                name,
                prefix: Prefix::Scheme(scheme),
            } => name.as_ref() == "authorization" && scheme.as_ref() == "dpop",
            _ => false,
        }
    }
}

// === impl Prefix ===

impl Prefix {
    /// What follows the prefix; `None` where the value does not begin with it.
    pub fn strip<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Prefix::None => Some(value),
            Prefix::Literal(literal) => value.strip_prefix(literal.as_bytes()),
            Prefix::Scheme(scheme) => {
                let start = value.iter().position(|b| !may_be_space(*b))?;
                let (before, value) = value.split_at_checked(start)?;
                let (head, rest) = value.split_at_checked(scheme.len())?;
                if !head.eq_ignore_ascii_case(scheme.as_bytes()) {
                    return None;
                }
                match rest {
                    // RFC 9110 §11.4: one or more spaces, or nothing at all after the scheme.
                    [] | [b' ', ..] if before.is_empty() => {
                        let spaces = rest.iter().take_while(|&&b| b == b' ').count();
                        rest.get(spaces..)
                    }
                    // A parser that splits at any white space finds a credential here. We take it
                    // for one too, and for a malformed one.
                    [] => Some(&[]),
                    [b, ..] if may_be_space(*b) => Some(&[]),
                    _ => None,
                }
            }
        }
    }
}

/// What some parsers take for white space: a tab, a control character, or a byte beyond ASCII, since
/// every encoding has no-break and other spaces.
fn may_be_space(b: u8) -> bool {
    !b.is_ascii_graphic()
}
