//! What a request says in its headers, where an upstream may read them in another way than we do.

use crate::request::header_name::HeaderName;

/// The headers of a request: names in lower case, and values. All of them in order, with pseudo-headers and
/// duplicates.
pub type Headers<'a> = &'a [(&'a [u8], &'a [u8])];

/// How often a header is there.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Occurrence<'a> {
    /// It is not there.
    Never,
    /// There is one value.
    Once(&'a [u8]),
    /// Another reader may find another value than we do.
    Several,
}

/// Counts the headers that a careless upstream may take for `name`.
pub fn occurrence<'a>(headers: Headers<'a>, name: &HeaderName) -> Occurrence<'a> {
    let mut values = headers.iter().filter(|(n, _)| name.is(n));
    match (values.next(), values.next()) {
        (None, _) => Occurrence::Never,
        // RFC 9110 §5.3: values that are joined with commas are what two headers were.
        (Some((_, value)), None) if !name.is_joined() || !value.contains(&b',') => {
            Occurrence::Once(value)
        }
        (Some(_), _) => Occurrence::Several,
    }
}
