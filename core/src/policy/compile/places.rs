//! Where requests carry credentials.

use std::collections::HashMap;

use crate::config::reader::{At, Field, List, OneOrMore, quoted};
use crate::config::{self, KeyHeader};
use crate::policy::LocationId;
use crate::policy::compile::{Compiler, Warning, all_or_none, insert_sorted, syntax};
use crate::policy::provider::{CredentialLocation, Prefix};

impl Compiler<'_> {
    pub(super) fn token_places(
        &mut self,
        from: Field<config::TokenPlaces<'_>>,
        at: At<'_>,
    ) -> Option<Vec<LocationId>> {
        let from = match from {
            Field::Faulty => return None,
            Field::Given(from) => from,
            Field::Absent => {
                let place = CredentialLocation::Header {
                    name: "authorization".into(),
                    prefix: Prefix::Scheme("bearer".into()),
                };
                return Some(vec![self.place(place, at)]);
            }
        };
        let config::TokenPlaces {
            headers,
            query,
            cookies,
        } = from;
        let headers = headers.or(List::default());
        let query = query.or(List::default());
        let cookies = cookies.or(List::default());
        if let (Some(headers), Some(query), Some(cookies)) = (&headers, &query, &cookies)
            && headers.is_empty()
            && query.is_empty()
            && cookies.is_empty()
        {
            let expected = "at least one of headers, query, cookies";
            self.faults.unfit(at, "no place", expected);
        }
        let headers = headers.and_then(|headers| {
            let at = at.key("headers");
            let headers = headers.into_indexed();
            all_or_none(headers.map(|(i, header)| self.token_header(header, at.index(i))))
        });
        let query = query.and_then(|query| {
            let at = at.key("query");
            let query = query.into_indexed();
            all_or_none(query.map(|(i, name)| self.parameter(name, at.index(i))))
        });
        let cookies = cookies.and_then(|cookies| {
            let at = at.key("cookies");
            let cookies = cookies.into_indexed();
            all_or_none(cookies.map(|(i, name)| self.cookie(name, at.index(i))))
        });
        Some(sorted([headers?, query?, cookies?].concat()))
    }

    fn token_header(&mut self, header: config::TokenHeader<'_>, at: At<'_>) -> Option<LocationId> {
        let config::TokenHeader { name, prefix } = header;
        let name = name.and_then(|name| self.header_name(name, at.key("name")));
        let prefix = prefix.or("");
        let prefix = prefix.and_then(|prefix| self.prefix(prefix, at.key("prefix")));
        let place = CredentialLocation::Header {
            name: name?,
            prefix: prefix?,
        };
        Some(self.place(place, at))
    }

    /// Only what has one form: a name with escapes would be looked up in a single one of them.
    fn parameter(&mut self, name: &str, at: At<'_>) -> Option<LocationId> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if name.is_empty() || !name.bytes().all(unreserved) {
            let expected = "a parameter name of letters, digits, -, ., _ and ~";
            self.faults.unfit(at, quoted(name), expected);
            return None;
        }
        Some(self.place(CredentialLocation::Query { name: name.into() }, at))
    }

    /// RFC 6265 §4.1.1.
    fn cookie(&mut self, name: &str, at: At<'_>) -> Option<LocationId> {
        if !syntax::is_token(name) {
            self.faults.unfit(at, quoted(name), "a cookie name");
            return None;
        }
        Some(self.place(CredentialLocation::Cookie { name: name.into() }, at))
    }

    fn prefix(&mut self, prefix: &str, at: At<'_>) -> Option<Prefix> {
        if prefix.is_empty() {
            return Some(Prefix::None);
        }
        // Header values arrive without outer white space.
        let legal = |b: u8| matches!(b, b' '..=b'~');
        if prefix.starts_with(' ') || !prefix.bytes().all(legal) {
            let expected = "printable ASCII that does not begin with a space";
            self.faults.unfit(at, quoted(prefix), expected);
            return None;
        }
        let scheme = prefix.strip_suffix(' ').filter(|s| syntax::is_token(s));
        if scheme.is_none()
            && ["bearer", "dpop", "token"].contains(&prefix.to_ascii_lowercase().as_str())
        {
            let message = format!(
                "taken literally; the scheme is {}",
                quoted(&format!("{prefix} "))
            );
            self.warn(at, message);
        }
        Some(match scheme {
            Some(scheme) => Prefix::Scheme(scheme.to_ascii_lowercase().into()),
            None => Prefix::Literal(prefix.into()),
        })
    }

    pub(super) fn key_places(
        &mut self,
        from: Field<OneOrMore<KeyHeader<'_>>>,
        at: At<'_>,
    ) -> Option<Vec<LocationId>> {
        let places = match from {
            Field::Faulty => return None,
            Field::Given(from) => {
                let from = from.into_indexed();
                all_or_none(from.map(|(i, header)| self.key_header(header, at.index(i))))?
            }
            Field::Absent => {
                let name = "x-api-key".into();
                let prefix = Prefix::None;
                vec![self.key_place(CredentialLocation::Header { name, prefix }, at)?]
            }
        };
        Some(sorted(places))
    }

    fn key_header(&mut self, header: KeyHeader<'_>, at: At<'_>) -> Option<LocationId> {
        let KeyHeader { header, scheme } = header;
        let name = header.and_then(|name| self.header_name(name, at.key("header")));
        let prefix = scheme.map_or(Prefix::None, |scheme| {
            if !syntax::is_token(scheme) {
                let expected = "an authentication scheme";
                self.faults
                    .unfit(at.key("scheme"), quoted(scheme), expected);
                return None;
            }
            Some(Prefix::Scheme(scheme.to_ascii_lowercase().into()))
        });
        let (name, prefix) = (name?, prefix?);
        self.key_place(CredentialLocation::Header { name, prefix }, at)
    }

    /// What stands in one place could otherwise be a token and a key at once.
    fn key_place(&mut self, place: CredentialLocation, at: At<'_>) -> Option<LocationId> {
        let id = self.place(place, at);
        if id.0 < self.token_places {
            let taken = self.place_paths.get(id.0).map_or("", String::as_str);
            let found = format!("the place of {taken}");
            self.faults.unfit(at, found, "a place of its own");
            return None;
        }
        Some(id)
    }

    fn place(&mut self, place: CredentialLocation, at: At<'_>) -> LocationId {
        let id = self.places.index(place);
        if id == self.place_paths.len() {
            self.place_paths.push(at.to_string());
        }
        LocationId(id)
    }

    /// Two places in one header, of which one has no prefix: what the other takes, it takes too.
    pub(super) fn warn_of_overlapping_places(&mut self) {
        let mut prefixed: HashMap<&str, usize> = HashMap::new();
        for (i, place) in self.places.values.iter().enumerate() {
            if let CredentialLocation::Header { name, prefix } = place
                && *prefix != Prefix::None
            {
                prefixed.insert(name, i);
            }
        }
        for (place, path) in self.places.values.iter().zip(&self.place_paths) {
            let CredentialLocation::Header {
                name,
                prefix: Prefix::None,
            } = place
            else {
                continue;
            };
            let other = prefixed.get(name.as_ref());
            if let Some(other) = other.and_then(|i| self.place_paths.get(*i)) {
                let message = format!(
                    "takes what {other} takes: where a rule accepts both, such a request is \
                     ambiguous"
                );
                self.warnings.push(Warning {
                    path: path.as_str().into(),
                    message: message.into(),
                });
            }
        }
    }
}

fn sorted(places: impl IntoIterator<Item = LocationId>) -> Vec<LocationId> {
    let mut list = Vec::new();
    for place in places {
        insert_sorted(&mut list, place);
    }
    list
}
