//! Names with wildcards.

/// A name in which `*` stands for any run of characters, also for none. All others stand for themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Every text is a pattern.
    pub fn new(text: &str) -> Self {
        Pattern(text.into())
    }

    /// Whether the whole name is an instance of the pattern.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.0, name)
    }

    /// Whether every instance of `other` is known to be one of this too.
    pub fn covers(&self, other: &Pattern) -> bool {
        // What this takes for any run may be a `*` of the other. Its own characters are none.
        self.matches(&other.0)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the whole name is an instance of this pattern, which is used only once.
///
/// Each piece between two `*` is taken where it comes first, since a later place leaves less for the
/// pieces after it. So nothing is tried twice, and the time is linear in the name.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
