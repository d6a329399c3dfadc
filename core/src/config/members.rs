//! Which members each part of a configuration has. No other file spells their names.

use crate::config::reader::{At, Faults, Fields, OneOrMore, Read, Word};
use crate::config::*;

/// A word for each variant.
macro_rules! words {
    ($kind:ident { $($word:literal => $variant:ident),+ $(,)? }) => {
        impl Word for $kind {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $kind::$variant)),+];
        }
    };
}

/// A struct whose fields are called as the members are, each `required` or `optional`.
macro_rules! members {
    ($kind:ident $(<$v:lifetime>)? { $($how:ident $name:ident $(= $key:literal)?),+ $(,)? }) => {
        impl<'v> Read<'v> for $kind $(<$v>)? {
            fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
                let mut fields = Fields::of(value, at, faults)?;
                let read = $kind { $($name: fields.$how(key!($name $($key)?))),+ };
                fields.close();
                Some(read)
            }
        }
    };
}

/// What a member is called where that is no name for a field.
macro_rules! key {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $key:literal) => {
        $key
    };
}

members!(Config<'v> {
    optional realm,
    optional mode,
    optional providers,
    optional api_keys,
    optional rules,
    optional unmatched,
    optional allow_cors_preflight,
    optional forward,
    optional limits,
    optional audit,
});

words!(Mode { "enforce" => Enforce, "shadow" => Shadow });
words!(Unmatched { "deny" => Deny, "anonymous" => Anonymous });
words!(Audit { "denied" => Denied, "all" => All, "none" => None });

members!(Provider<'v> {
    required issuer,
    optional audiences,
    optional danger_any_audience,
    optional algorithms,
    optional jwks,
    optional clock_tolerance,
    optional require_exp,
    optional max_lifetime,
    optional types,
    optional from,
    optional scope_claims,
    optional client_id_claims,
    optional tenant_claim,
    optional introspection,
    optional revocation,
});

impl<'v> Read<'v> for Jwks<'v> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let read = match fields.exactly_one(&["inline", "remote"]) {
            Some("inline") => fields.required("inline").map(Jwks::Inline),
            Some(key) => fields.required(key).map(Jwks::Remote),
            None => None,
        };
        fields.close();
        read
    }
}

members!(RemoteJwks<'v> {
    required cluster,
    required uri,
    optional authorization,
    optional timeout,
    optional refresh_interval,
    optional min_refetch_interval,
    optional max_staleness,
});

members!(Introspection<'v> {
    required cluster,
    required uri,
    required client_id,
    required client_secret,
    optional when,
    optional timeout,
    optional cache_ttl,
    optional negative_cache_ttl,
    optional on_unavailable,
});
words!(When { "opaque" => Opaque, "always" => Always });
words!(Fallback { "deny" => Deny, "danger_allow" => DangerAllow });

members!(Revocation<'v> { optional list, optional status_list });
members!(RevocationList<'v> {
    required cluster,
    required uri,
    optional authorization,
    optional refresh_interval,
    optional timeout,
    optional max_staleness,
    optional on_stale,
});
members!(StatusList<'v> {
    required cluster,
    required uri_prefix,
    optional authorization,
    optional required,
    optional timeout,
    optional on_unavailable,
});

members!(TokenPlaces<'v> { optional headers, optional query, optional cookies });
members!(TokenHeader<'v> { required name, optional prefix });

impl<'v> Read<'v> for Claim<'v> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::String(path) => Some(Claim::Dotted(path)),
            Value::Array(_) => OneOrMore::read(value, at, faults).map(Claim::Members),
            _ => {
                faults.wrong_type(at, value, "a string or an array of strings");
                None
            }
        }
    }
}

members!(ApiKeys<'v> {
    optional from,
    optional pepper,
    optional keys,
    optional remote,
    optional revocation,
});
members!(RemoteApiKeys<'v> {
    required cluster,
    required uri,
    optional authorization,
    optional timeout,
    optional refresh_interval,
    optional max_staleness,
});
members!(ApiKeyList<'v> { required keys });
members!(KeyRevocation<'v> { required list });
members!(KeyHeader<'v> { required header, optional scheme });
members!(ApiKey<'v> {
    required id,
    optional client,
    required hash,
    optional scopes,
    optional tenant,
    optional not_before,
    optional expires_at,
    optional revoked,
});

impl<'v> Read<'v> for SecretSource<'v> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let read = match fields.exactly_one(&["env", "danger_inline"]) {
            Some("env") => fields.required("env").map(SecretSource::Env),
            Some(key) => fields.required(key).map(SecretSource::DangerInline),
            None => None,
        };
        fields.close();
        read
    }
}

members!(Rule<'v> {
    optional name,
    optional matches = "match",
    optional access,
    optional credentials,
    optional audiences,
    optional scopes,
    optional claims,
    optional danger_allow_in_path,
});

words!(Access {
    "required" => Required,
    "optional" => Optional,
    "anonymous" => Anonymous,
    "deny" => Deny,
});
words!(PathQuirk {
    "encoded_slash" => EncodedSlash,
    "double_slash" => DoubleSlash,
    "semicolon" => Semicolon,
});

members!(Match<'v> { optional path, optional methods, optional hosts });

impl<'v> Read<'v> for PathMatch<'v> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let read = match fields.exactly_one(&["exact", "prefix", "template", "regex"]) {
            Some("exact") => fields.required("exact").map(PathMatch::Exact),
            Some("prefix") => fields.required("prefix").map(PathMatch::Prefix),
            Some("template") => fields.required("template").map(PathMatch::Template),
            Some(key) => fields.required(key).map(PathMatch::Regex),
            None => None,
        };
        fields.close();
        read
    }
}

members!(Scopes<'v> { optional all, optional any });

impl<'v> Read<'v> for Condition<'v> {
    fn read(value: &'v Value<'v>, at: At<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let claim = fields.required("claim");
        let test = match fields.exactly_one(&["equals", "one_of", "contains", "present"]) {
            Some("equals") => fields.required("equals").map(Test::Equals),
            Some("one_of") => fields.required("one_of").map(Test::OneOf),
            Some("contains") => fields.required("contains").map(Test::Contains),
            Some(key) => fields.required(key).map(Test::Present),
            None => None,
        };
        fields.close();
        Some(Condition { claim, test })
    }
}

members!(Forward<'v> { optional headers, optional payload_header, optional credential });
words!(ForwardCredential { "strip" => Strip, "keep" => Keep });

members!(Limits {
    optional token_bytes,
    optional token_cache_entries,
    optional introspection_cache_entries,
});
