//! Every limit on data from outside, each with its reason.

/// Nesting of JSON. The reader recurses, so it must stop before the module's stack of 1 MiB ends.
/// This is serde_json's own limit: it refuses the 128th level.
pub const JSON_DEPTH: usize = 127;

/// Bytes of one member of an audit line, as they are written. Paths and request ids are the client's
/// choice, and Envoy lets 60 KiB of them in.
pub const AUDIT_FIELD_BYTES: usize = 1024;

/// Denials that one worker logs in a second, each of some kilobytes at most.
pub const AUDIT_LINES_PER_SECOND: u32 = 100;

/// Bytes of a path that a regular expression is tried on. Its cost grows with both: the most expensive
/// accepted expression takes 1 ms on 4 KiB.
pub const REGEX_PATH_BYTES: usize = 4 * 1024;

/// Bytes of an MCP version that a refusal repeats. All versions so far are dates.
pub const MCP_VERSION_BYTES: usize = 64;

/// Keys read from one JWK Set. The largest providers publish fewer than ten.
pub const JWKS_KEYS: usize = 100;

/// Bytes of one JWK Set: 100 RSA-4096 keys with certificate chains fit.
pub const JWKS_BYTES: usize = 256 * 1024;

/// Keys that are tried for a token without `kid`, where one check costs at most about 100 µs.
pub const KEY_TRIALS: usize = 4;

/// The same where one check costs more: PS*, ES384, ES512 and RSA above 2048 bits.
pub const COSTLY_KEY_TRIALS: usize = 2;

/// RSA moduli: smaller ones are weak (RFC 7518 §3.3), larger ones cost the verifier
/// milliseconds (CVE-2023-6237 and similar ones).
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
pub const LAST_SECOND: i64 = 253_402_300_799;

/// Clock tolerance that an operator may ask for.
pub const MAX_CLOCK_TOLERANCE: std::time::Duration = std::time::Duration::from_secs(600);

/// A configuration: 50,000 API keys fit, and what is read from it fits a VM's memory of 1 GiB.
pub const CONFIGURATION_BYTES: usize = 16 * 1024 * 1024;

/// A list of API keys from its source: as large as a configuration may be.
pub const API_KEYS_BYTES: usize = CONFIGURATION_BYTES;

/// The answer of an introspection endpoint: larger than any token that Envoy lets in.
pub const INTROSPECTION_BYTES: usize = 128 * 1024;

/// Introspection calls that one worker has in flight. Random tokens cost their sender nothing, and each
/// costs the endpoint a call: above this limit a worker refuses instead of asking.
pub const INTROSPECTIONS_IN_FLIGHT: usize = 256;

/// Of these, the slots that are reserved for known tokens: they verified here, or were active a short
/// while ago.
pub const INTROSPECTIONS_KEPT: usize = 64;

/// How long an active token stays known as such.
pub const LATELY: std::time::Duration = std::time::Duration::from_secs(600);

/// The most recently active tokens that one worker knows, some 110 bytes each.
pub const LATELY_ACTIVE_TOKENS: usize = 16 * 1024;

/// Average memory of a cache per entry. The facts about a caller take some hundred bytes; where they take
/// more, the cache holds fewer.
pub const CACHED_BYTES_PER_ENTRY: usize = 4 * 1024;

/// Bytes of one page of a revocation list. The format sets this limit and the next.
pub const REVOCATION_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Entries of one page of a revocation list.
pub const REVOCATION_PAGE_ENTRIES: usize = 50_000;

/// Entries of one revocation list that have not ended yet: 50 MB in each worker at the most, and
/// twice that while a whole list is replaced.
pub const REVOCATION_ENTRIES: usize = 2_000_000;

/// Pages of one poll, so that a service that always answers "more" cannot keep it running. A list of the
/// largest size fits, even where names of a kilobyte leave room for only 4,000 entries in a page.
pub const REVOCATION_PAGES: usize = 1000;

/// A cursor goes into the path of the next request.
pub const REVOCATION_CURSOR_BYTES: usize = 1024;

/// A status list, decompressed: 8 million tokens of one bit, 1 million of eight, which are the
/// largest test vectors of the draft.
pub const STATUS_LIST_BYTES: usize = 1024 * 1024;

/// The token around it: base64url applied twice, to a list that does not compress.
pub const STATUS_LIST_TOKEN_BYTES: usize = 2 * 1024 * 1024;

/// How long a status list is used at most, even if its `ttl` is longer.
pub const STATUS_LIST_TTL: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Status lists that one worker keeps: 32 MB at the most.
pub const STATUS_LISTS: usize = 32;

/// Status lists that one worker fetches at a time.
pub const STATUS_LISTS_IN_FLIGHT: usize = 64;

/// What one table of spent things may be configured to hold: some 50 MB in all, which the workers share.
pub const SPENT_ENTRIES: usize = 1024 * 1024;

/// Approvals that count once and whose tokens have not expired: 3 MB at the most, which the workers share.
pub const SPENT_APPROVALS: usize = 64 * 1024;

/// The largest amount that a limit can name: beyond it, not every JSON reader counts exactly (RFC 8259 §6).
pub const BUDGET_AMOUNT: u64 = 1 << 53;

/// Bytes of the name that a ledger knows a caller by. A longer one is replaced by its hash.
pub const LEDGER_KEY_BYTES: usize = 1024;

/// Callers that one budget may be configured to hold. Each takes 25 bytes of memory that the workers share, 97
/// with a lease, and a bucket of a full table is read and written with each request: 20 KB at this size.
pub const BUDGET_CALLERS: usize = 1024 * 1024;

/// Ledger calls of one budget that one worker has in flight.
pub const LEDGER_CALLS_IN_FLIGHT: usize = 256;

/// The answer of a ledger, which has a few numbers.
pub const LEDGER_BYTES: usize = 16 * 1024;

/// Callers whose leases one worker looks after, some 250 bytes each and at most 1.2 KB. What others do not use is not
/// given back before the window ends.
pub const LEASES_WATCHED: usize = 16 * 1024;
