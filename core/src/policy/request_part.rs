//! Parts of a request that tokens are compared with.

use crate::request::header_name::HeaderName;

/// A part of a request that a claim is compared with.
#[derive(Clone, Debug)]
pub enum RequestPart {
    /// A segment of the path, counted from 0, percent-decoded.
    Segment(usize),
    /// A header that must be there exactly once.
    Header(HeaderName),
    /// A label of the host, counted from 0 and from the left.
    HostLabel(usize),
}
