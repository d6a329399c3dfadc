//! Where requests carry credentials.

use std::collections::HashMap;
use std::rc::Rc;

use crate::config::fault::{At, quoted};
use crate::config::reader::{ListOf, Located, NonEmpty, Optional};
use crate::config::{KeyHeaderConfig, TokenHeaderConfig, TokenLocationsConfig};
use crate::policy::compile::compiler::{Compiler, LocationId, insert_sorted};
use crate::policy::location::{CredentialLocation, Prefix};
use crate::request::is_token;
use crate::request::origin::Origin;

impl Compiler<'_> {
    pub(super) fn token_locations(
        &mut self,
        from: Optional<TokenLocationsConfig<'_>>,
    ) -> Option<(Vec<LocationId>, Vec<Origin>)> {
        let at = from.at;
        if from.is_absent() {
            let location = CredentialLocation::Header {
                name: "authorization".into(),
                prefix: Prefix::Scheme("bearer".into()),
            };
            return Some((vec![self.location(location, at)], Vec::new()));
        }
        let from = from.given()?;
        let TokenLocationsConfig {
            headers,
            query,
            cookies,
            cookie_origins,
        } = from.value;
        let headers = headers.or(ListOf::default());
        let query = query.or(ListOf::default());
        let cookies = cookies.or(ListOf::default());
        if let (Some(headers), Some(query), Some(cookies)) = (&headers, &query, &cookies)
            && headers.value.is_empty()
            && query.value.is_empty()
            && cookies.value.is_empty()
        {
            let expected = "at least one of headers, query, cookies";
            self.findings.unfit(at, "no location", expected);
        }
        let headers = headers.and_then(|headers| self.each(headers.value, Self::token_header));
        let query = query.and_then(|query| self.each(query.value, Self::parameter));
        let has_cookies = cookies.as_ref().is_none_or(|c| !c.value.is_empty());
        let cookies = cookies.and_then(|cookies| self.each(cookies.value, Self::cookie));
        let origins = cookie_origins.map_or(Vec::new(), |Located { at, value: origins }| {
            if !origins.is_empty() && !has_cookies {
                let found = "origins where no cookie is read";
                self.findings.unfit(at, found, "cookies beside them");
            }
            self.each(origins, Self::origin)
        });
        Some((sorted([headers?, query?, cookies?].concat()), origins?))
    }

    pub(super) fn origin(&mut self, Located { at, value }: Located<&str>) -> Option<Origin> {
        let origin = Origin::parse(value.as_bytes());
        if origin.is_none() {
            let expected = "an origin as browsers send it, such as https://app.example.com";
            self.findings.unfit(at, quoted(value), expected);
        }
        origin
    }

    fn token_header(
        &mut self,
        Located { at, value }: Located<TokenHeaderConfig<'_>>,
    ) -> Option<LocationId> {
        let TokenHeaderConfig { name, prefix } = value;
        let name = name.and_then(|name| self.header_name(name));
        let prefix = prefix.map_or(Prefix::None, |prefix| self.prefix(prefix));
        let location = CredentialLocation::Header {
            name: name?,
            prefix: prefix?,
        };
        Some(self.location(location, at))
    }

    /// Only characters that need no escape: an escaped name has several forms, and only one of them
    /// would be looked up.
    fn parameter(&mut self, Located { at, value }: Located<&str>) -> Option<LocationId> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if value.is_empty() || !value.bytes().all(unreserved) {
            let expected = "a parameter name of letters, digits, -, ., _ and ~";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        let name = value.into();
        Some(self.location(CredentialLocation::Query { name }, at))
    }

    /// RFC 6265 §4.1.1.
    fn cookie(&mut self, Located { at, value }: Located<&str>) -> Option<LocationId> {
        if !is_token(value.as_bytes()) {
            self.findings.unfit(at, quoted(value), "a cookie name");
            return None;
        }
        let name = value.into();
        Some(self.location(CredentialLocation::Cookie { name }, at))
    }

    fn prefix(&mut self, Located { at, value: prefix }: Located<&str>) -> Option<Prefix> {
        if prefix.is_empty() {
            return Some(Prefix::None);
        }
        // Header values arrive without outer white space.
        let allowed = |b: u8| matches!(b, b' '..=b'~');
        if prefix.starts_with(' ') || !prefix.bytes().all(allowed) {
            let expected = "printable ASCII that does not begin with a space";
            self.findings.unfit(at, quoted(prefix), expected);
            return None;
        }
        let scheme = prefix.strip_suffix(' ');
        let scheme = scheme.filter(|scheme| is_token(scheme.as_bytes()));
        if scheme.is_none()
            && ["bearer", "dpop", "token"].contains(&prefix.to_ascii_lowercase().as_str())
        {
            let scheme = quoted(&format!("{prefix} "));
            let message = format!("taken literally; the scheme is {scheme}");
            self.findings.warn(at, message);
        }
        Some(match scheme {
            Some(scheme) => Prefix::Scheme(scheme.to_ascii_lowercase().into()),
            None => Prefix::Literal(prefix.into()),
        })
    }

    pub(super) fn key_locations(
        &mut self,
        from: Optional<NonEmpty<KeyHeaderConfig<'_>>>,
    ) -> Option<Vec<LocationId>> {
        let at = from.at;
        if from.is_absent() {
            let name = "x-api-key".into();
            let prefix = Prefix::None;
            let id = self.key_location(CredentialLocation::Header { name, prefix }, at);
            return id.map(|id| vec![id]);
        }
        let from = from.given()?;
        self.each(from.value, Self::key_header).map(sorted)
    }

    fn key_header(
        &mut self,
        Located { at, value }: Located<KeyHeaderConfig<'_>>,
    ) -> Option<LocationId> {
        let KeyHeaderConfig { header, scheme } = value;
        let name = header.and_then(|name| self.header_name(name));
        let prefix = scheme.map_or(Prefix::None, |Located { at, value: scheme }| {
            if !is_token(scheme.as_bytes()) {
                let expected = "an authentication scheme";
                self.findings.unfit(at, quoted(scheme), expected);
                return None;
            }
            Some(Prefix::Scheme(scheme.to_ascii_lowercase().into()))
        });
        let (name, prefix) = (name?, prefix?);
        self.key_location(CredentialLocation::Header { name, prefix }, at)
    }

    /// A credential in a shared location could be both a token and a key.
    fn key_location(&mut self, location: CredentialLocation, at: At) -> Option<LocationId> {
        let id = self.location(location, at);
        if id.0 < self.token_locations {
            let first = self.mention(id);
            let found = format!("the location of {first}");
            self.findings.unfit(at, found, "a location of its own");
            return None;
        }
        Some(id)
    }

    pub(super) fn location(&mut self, location: CredentialLocation, at: At) -> LocationId {
        let id = self.locations.index(Rc::new(location));
        if id == self.mentions.len() {
            self.mentions.push(at);
        }
        LocationId(id)
    }

    /// The locations themselves.
    pub(super) fn resolve(&self, ids: &[LocationId]) -> Option<Vec<Rc<CredentialLocation>>> {
        let locations = ids
            .iter()
            .map(|id| self.locations.values.get(id.0).cloned());
        locations.collect()
    }

    /// The path at which the location was mentioned first.
    pub(super) fn mention(&self, id: LocationId) -> String {
        let at = self.mentions.get(id.0);
        at.map(|at| self.findings.path(*at)).unwrap_or_default()
    }

    /// A location without prefix yields every value of its header, also those of a location in the
    /// same header with a prefix.
    pub(super) fn warn_of_overlapping_locations(&mut self) {
        let mut prefixed: HashMap<&str, At> = HashMap::new();
        let mut bare: Vec<(&str, At)> = Vec::new();
        for (location, at) in self.locations.values.iter().zip(&self.mentions) {
            match location.as_ref() {
                CredentialLocation::Header {
                    name,
                    prefix: Prefix::None,
                } => bare.push((name, *at)),
                CredentialLocation::Header { name, .. } => {
                    prefixed.insert(name, *at);
                }
                CredentialLocation::Query { .. } | CredentialLocation::Cookie { .. } => {}
            }
        }
        for (name, at) in bare {
            if let Some(other) = prefixed.get(name) {
                let other = self.findings.path(*other);
                let message = format!(
                    "takes what {other} takes: where a rule accepts both, such a request is \
                     ambiguous"
                );
                self.findings.warn(at, message);
            }
        }
    }
}

fn sorted(locations: Vec<LocationId>) -> Vec<LocationId> {
    let mut list = Vec::new();
    for location in locations {
        insert_sorted(&mut list, location);
    }
    list
}
