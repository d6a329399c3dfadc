//! What every check of one verification may look at.

use crate::policy::Policy;
use crate::time::UnixTime;
use crate::verification::callout::Replies;

/// The constants of one verification.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The policy that the request began with.
    pub policy: &'a Policy,
    /// What has been asked for this request so far.
    pub replies: &'a Replies,
    /// The time of this request.
    pub now: UnixTime,
}
