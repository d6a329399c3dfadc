//! Protected resources: what their metadata says (RFC 9728).

use std::rc::Rc;

use crate::config::ResourceConfig;
use crate::config::fault::At;
use crate::config::reader::{ListOf, Located};
use crate::json::Quoted;
use crate::keys::{Algorithm, AlgorithmSet};
use crate::policy::compile::compiler::Compiler;
use crate::policy::compile::endpoint;
use crate::policy::provider::Provider;
use crate::policy::requirement::Rule;
use crate::policy::resource::{Place, Resource, Resources, WELL_KNOWN};
use crate::policy::route::Match;
use crate::request::host::Host;
use crate::request::path::{CanonicalPath, PathQuirks};
use crate::scope::Scope;

/// Hosts that are this machine: their traffic needs no TLS.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Compiler<'_> {
    pub(super) fn resources(
        &mut self,
        resources: ListOf<ResourceConfig<'_>>,
        rules: &[(Rule, Match)],
        providers: Option<&[Rc<Provider>]>,
    ) -> Option<Resources> {
        let mut seen: Vec<(Place, At)> = Vec::new();
        let resources = self.each(resources, |compiler, resource| {
            compiler.resource(resource, &mut seen, rules, providers)
        });
        resources.map(Resources::new)
    }

    fn resource(
        &mut self,
        Located { value, .. }: Located<ResourceConfig<'_>>,
        seen: &mut Vec<(Place, At)>,
        rules: &[(Rule, Match)],
        providers: Option<&[Rc<Provider>]>,
    ) -> Option<Resource> {
        let ResourceConfig {
            resource,
            authorization_servers,
            scopes_supported,
            name,
        } = value;
        let identifier = resource.map(|resource| resource.value);
        let identified = resource.and_then(|resource| {
            let (scheme, place) = self.identified(resource)?;
            if let Some((_, first)) = seen.iter().find(|(other, _)| other.is_same(&place)) {
                let found = format!("the resource of {}", self.findings.path(*first));
                self.findings
                    .unfit(resource.at, found, "each resource once");
                return None;
            }
            seen.push((place.clone(), resource.at));
            Some((scheme, place))
        });
        let servers_at = authorization_servers.at;
        let servers = match (authorization_servers.is_absent(), providers) {
            (true, None) => None,
            (true, Some(all)) => Some(all.iter().map(|p| p.issuer.clone()).collect()),
            (false, _) => authorization_servers
                .map_or(Vec::new(), |servers| self.each(servers.value, Self::issuer)),
        };
        if servers.as_ref().is_some_and(Vec::is_empty) {
            let expected = "an issuer, or a provider";
            self.findings.unfit(servers_at, "none", expected);
        }
        let own_scopes = scopes_supported
            .and_then(|scopes| self.each(scopes.value, |compiler, scope| compiler.scope(scope)));
        let name = name.and_then(|name| self.text(name));
        let (scheme, place) = identified?;
        let own_scopes = own_scopes?;
        let proofs = providers.unwrap_or_default().iter();
        let proofs = proofs.filter_map(|provider| provider.dpop.as_ref());
        let proofs: AlgorithmSet = proofs.flat_map(|dpop| dpop.algorithms.iter()).collect();
        let scopes = match &own_scopes {
            Some(scopes) => scopes.iter().map(Scope::as_str).collect(),
            None => scopes_of(&place, rules),
        };
        let authority = match place.port {
            Some(port) => format!("{}:{port}", place.host),
            None => place.host.to_string(),
        };
        let suffix = place.metadata_suffix();
        let (identifier, servers) = (identifier?, servers?);
        let mut metadata = format!(
            "{{\"resource\":{},\"authorization_servers\":{}",
            Quoted(identifier),
            list(servers.iter().map(|server| &**server)),
        );
        let mut add = |name: &str, value: &str| {
            metadata.push_str(&format!(",\"{name}\":{value}"));
        };
        if !scopes.is_empty() {
            add("scopes_supported", &list(scopes));
        }
        add("bearer_methods_supported", "[\"header\"]");
        if !proofs.is_empty() {
            let algorithms = list(proofs.iter().map(Algorithm::name));
            add("dpop_signing_alg_values_supported", &algorithms);
        }
        if let Some(name) = name? {
            add("resource_name", &Quoted(&name).to_string());
        }
        metadata.push('}');
        Some(Resource {
            identifier: identifier.into(),
            metadata_uri: format!("{scheme}://{authority}{WELL_KNOWN}{suffix}").into(),
            metadata: metadata.into(),
            place,
        })
    }

    /// RFC 8414 §2: clients find the issuer's metadata by it.
    fn issuer(&mut self, Located { at, value }: Located<&str>) -> Option<Box<str>> {
        if let Err(found) = endpoint::split(value) {
            self.findings
                .unfit(at, found, "an http or https URI with a host");
            return None;
        }
        Some(value.into())
    }

    /// RFC 9728 §1.2, and what a request can be compared with.
    fn identified(
        &mut self,
        Located { at, value }: Located<&str>,
    ) -> Option<(&'static str, Place)> {
        let place = || {
            let (scheme, authority, path) = endpoint::split(value)?;
            let default_port = if scheme == "https" { 443 } else { 80 };
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
                _ => (authority, None),
            };
            let host = Host::configured(host).map_err(|_| "a URI without a valid host")?;
            if scheme == "http" && !LOCAL_HOSTS.contains(&host.as_str()) {
                return Err("an http URI");
            }
            if path.contains('?') {
                return Err("a URI with a query");
            }
            let path = if path.is_empty() { "/" } else { path };
            let path = CanonicalPath::parse(path.as_bytes())
                .ok()
                .filter(|path| path.quirks() == PathQuirks::NONE)
                .ok_or("a path that no request can have")?;
            let place = Place {
                host: host.as_str().into(),
                port: port.filter(|port| *port != default_port),
                default_port,
                path: path.as_str().into(),
            };
            Ok((scheme, place))
        };
        match place() {
            Ok(place) => Some(place),
            Err(found) => {
                let expected = "an https URI without query and fragment; http for localhost";
                self.findings.unfit(at, found, expected);
                None
            }
        }
    }
}

/// The scopes of the rules that are for the resource's host and lie at or below its path, each once.
fn scopes_of<'r>(place: &Place, rules: &'r [(Rule, Match)]) -> Vec<&'r str> {
    let mut scopes = Vec::new();
    for (rule, matching) in rules {
        let leading = matching.leading_path();
        if matching.may_be_for(&place.host) && leading.is_some_and(|path| place.covers(&path)) {
            for scope in rule.all_scopes() {
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
        }
    }
    scopes
}

/// A JSON array of strings.
fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts = texts.into_iter().map(|text| Quoted(text).to_string());
    format!("[{}]", texts.collect::<Vec<_>>().join(","))
}
