//! What is compared, and what the model's server answers.

/// What reads the bodies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Variant {
    None,
    HoldAndRead,
    ExtProc,
    Portcullis,
}

/// What the model's server answers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A stream of [`LONG`] events.
    Long,
    /// A stream of [`SHORT`] events: what every stream has, and no more.
    Short,
    /// One JSON object of [`JSON_BYTES`].
    Json,
}

/// The events of a long stream.
pub const LONG: usize = 400;
/// The events of a short stream: the role, the reason of the end, the usage and `[DONE]`.
pub const SHORT: usize = 4;
/// The length of an answer in JSON.
pub const JSON_BYTES: usize = 64 * 1024;
/// The length of each request's body.
pub const REQUEST_BYTES: usize = 4096;

// === impl Variant ===

impl Variant {
    /// The baseline is the first.
    pub const ALL: [Variant; 4] = [
        Variant::None,
        Variant::HoldAndRead,
        Variant::ExtProc,
        Variant::Portcullis,
    ];

    /// The name of its listener.
    pub fn listener(self) -> &'static str {
        match self {
            Variant::None => "none",
            Variant::HoldAndRead => "bodies",
            Variant::ExtProc => "ext-proc",
            Variant::Portcullis => "portcullis-ai",
        }
    }

    /// As the results name it.
    pub fn what(self) -> &'static str {
        match self {
            Variant::None => "no filter",
            Variant::HoldAndRead => "a module that holds and reads bodies",
            Variant::ExtProc => "ext_proc, and its service",
            Variant::Portcullis => "Portcullis: model, maximum, budget, usage",
        }
    }
}

// === impl Kind ===

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Long, Kind::Short, Kind::Json];

    /// How many events the stream has; 0, where the answer is none.
    pub fn events(self) -> usize {
        match self {
            Kind::Long => LONG,
            Kind::Short => SHORT,
            Kind::Json => 0,
        }
    }

    /// Of so many requests, how many of this kind: a long stream takes as much time as dozens of the others.
    pub fn share(self, requests: usize) -> usize {
        let share = match self {
            Kind::Long => requests / 40,
            Kind::Short | Kind::Json => requests / 4,
        };
        share.max(1)
    }
}
