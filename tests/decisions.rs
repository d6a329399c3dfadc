//! The whole core on tables: a configuration as text and a request as headers go in, an answer
//! and the headers for the upstream come out. No host, no clock, no network.

mod decisions {
    mod harness;

    mod always;
    mod answers;
    mod api_keys;
    mod attacks;
    mod clock;
    mod codes;
    mod confirmation;
    mod credentials;
    mod identity;
    mod key_choice;
    mod libraries;
    mod opaque;
    mod providers;
    mod record;
    mod remote_keys;
    mod revocation;
    mod rules;
    mod shadow;
    mod signatures;
    mod sources;
    mod status_lists;
    mod statuses;
    mod tokens;
}
