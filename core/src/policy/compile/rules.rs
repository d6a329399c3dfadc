//! Rules: which requests they are for, and what they need.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use crate::config::fault::{At, alternatives, quoted};
use crate::config::reader::{ExactlyOne, ListOf, Located, NonEmpty, Optional};
use crate::config::{
    Access, ApprovalConfig, ApprovalObjectConfig, AuthenticationConfig, ClaimConfig,
    ClaimTestConfig, ConditionConfig, EqualsConfig, HeaderMatchConfig, HeaderTestConfig,
    MatchConfig, PathMatchConfig, RequestPartConfig, RuleConfig, ScopesConfig, Unmatched,
};
use crate::json::{self, Value};
use crate::policy::claim::{ClaimId, ClaimPath};
use crate::policy::compile::asked::{Asked, OnlyTokens};
#[cfg(feature = "ai")]
use crate::policy::compile::bodies::{BodyMembers, RestOfRule};
use crate::policy::compile::compiler::{API_KEYS, Compiler, insert_sorted};
use crate::policy::demands::{Approval, Authentication, Demands, Identifier};
use crate::policy::provider::{Provider, ProviderId};
use crate::policy::request_part::RequestPart;
use crate::policy::requirement::{Accepted, Condition, RefusalForm, Rule, Test};
use crate::policy::route::header::{self, HeaderMatch, HeaderTest};
use crate::policy::route::path::PathMatch;
use crate::policy::route::{HostPattern, InvalidMatch, Match, Method};
use crate::request::path::PathQuirks;
use crate::scope::{RequiredScopes, Scope};

/// The names that a rule can list in `credentials`.
pub(super) struct CredentialNames<'v> {
    /// Indexed by [`ProviderId`].
    providers: Vec<&'v str>,
    ids: HashMap<&'v str, usize>,
    api_keys: bool,
}

/// The credentials that a rule accepts, while not every provider may be compiled.
struct AcceptedIds {
    /// Sorted.
    providers: Vec<ProviderId>,
    api_keys: bool,
}

/// How many names a message lists where a rule has an unknown one.
const LISTED_NAMES: usize = 16;

/// A challenge names whole seconds (RFC 9470 §3).
const AUTHENTICATION_AGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(8760 * 3600);
/// The last label that a host can have: labels of one character in 253 (RFC 1035 §2.3.4).
const LAST_LABEL: u64 = 126;

impl<'v> Compiler<'v> {
    /// `names` is `None` where `providers` is faulty.
    pub(super) fn rules(
        &mut self,
        rules: ListOf<RuleConfig<'v>>,
        names: Option<&CredentialNames<'_>>,
        providers: &[Rc<Provider>],
        unmatched: Option<Unmatched>,
    ) -> Option<Vec<(Rule, Match)>> {
        let mut conditions = Vec::new();
        let rules = self.each(rules, |compiler, rule| {
            let matching = compiler.findings.key(rule.at, "match");
            conditions.push((rule.at, compiler.findings.key(matching, "headers")));
            compiler.rule(rule, names, providers)
        })?;
        self.warn_of_wider_rules(&rules, &conditions, unmatched?);
        Some(rules)
    }

    /// A client may leave out a header, and meets a later rule then. A rule that everybody passes is none
    /// that anybody would leave for another.
    fn warn_of_wider_rules(
        &mut self,
        rules: &[(Rule, Match)],
        conditions: &[(At, At)],
        unmatched: Unmatched,
    ) {
        let mut rest = rules.iter().zip(conditions);
        while let Some(((rule, matching), (_, at))) = rest.next() {
            if !matching.has_headers() || rule.access == Access::Anonymous {
                continue;
            }
            let mut later = rest.clone();
            let wider = loop {
                match later.next() {
                    Some(((other, wider), (at, _))) if matching.is_evaded_to(wider) => {
                        if other.access != Access::Deny {
                            break Some(self.findings.path(*at));
                        }
                        if wider.covers(matching) {
                            break None;
                        }
                    }
                    Some(_) => {}
                    None if unmatched == Unmatched::Anonymous => {
                        break Some("unmatched: anonymous".to_owned());
                    }
                    None => break None,
                }
            };
            if let Some(wider) = wider {
                let message = format!(
                    "a client may leave out a header: its request is then judged by {wider}"
                );
                self.findings.warn(*at, message);
            }
        }
    }

    fn rule(
        &mut self,
        Located { at, value: rule }: Located<RuleConfig<'v>>,
        names: Option<&CredentialNames<'_>>,
        providers: &[Rc<Provider>],
    ) -> Option<(Rule, Match)> {
        let RuleConfig {
            name,
            matches,
            access,
            credentials,
            audiences,
            scopes,
            authentication,
            approval,
            claims,
            mcp,
            danger_allow_in_path,
            #[cfg(feature = "ai")]
            body,
            #[cfg(feature = "ai")]
            model,
            #[cfg(feature = "ai")]
            prompt,
            #[cfg(feature = "ai")]
            budgets,
        } = rule;

        let label = name.and_then(|name| self.text(name));
        let quirks = danger_allow_in_path.map_or(PathQuirks::NONE, |quirks| {
            let mut quirks = quirks.value.into_iter();
            quirks.try_fold(PathQuirks::NONE, |all, quirk| Some(all | quirk?.value))
        });
        let matches = matches.or_empty(&mut self.findings);
        let matches = matches.and_then(|matches| self.matches(matches.value, quirks));

        let access = access.or(Access::Required);
        let access = access.map(|access| access.value);
        let mut asked = Asked::new();
        if !credentials.is_absent() {
            asked.push((credentials.at, OnlyTokens::No));
        }
        let credentials_at = credentials.at;
        let accepts = self.accepted(credentials, names);
        if !audiences.is_absent() {
            asked.push((audiences.at, OnlyTokens::Yes));
        }
        let audiences = audiences.map_or(Vec::new(), |audiences| self.texts(audiences.value));
        let demands = self.demands(
            scopes,
            authentication,
            approval,
            matches.as_ref(),
            &mut asked,
        );
        let claims_at = claims.at;
        let keys_alone = accepts
            .as_ref()
            .is_some_and(|accepts| accepts.api_keys && accepts.providers.is_empty());
        let claims = claims.map_or(Vec::new(), |claims| {
            self.each(claims.value, |compiler, condition| {
                compiler.condition(condition, matches.as_ref(), keys_alone)
            })
        });
        let has_claims = claims.as_ref().is_some_and(|claims| !claims.is_empty());
        if has_claims {
            asked.push((claims_at, OnlyTokens::No));
        }
        // Where requests would be looked into that the rule never lets pass.
        let mut parts = Vec::new();
        if !mcp.is_absent() {
            parts.push(mcp.at);
        }
        let no_demands = Demands::default();
        let own = demands.as_ref().unwrap_or(&no_demands);
        let mcp = mcp.and_then(|mcp| self.mcp(mcp, own, matches.as_ref(), &mut asked));
        #[cfg(feature = "ai")]
        let bodies = {
            let written = BodyMembers {
                body,
                model,
                prompt,
                budgets,
            };
            let rest = RestOfRule {
                demands: own,
                matching: matches.as_ref(),
                keys_alone,
                takes_keys: accepts.as_ref().is_none_or(|accepts| accepts.api_keys),
                has_mcp: !parts.is_empty(),
                verifies_body: matches!(&mcp, Some(Some(mcp)) if mcp.verifies_body),
            };
            self.bodies(written, &rest, &mut asked, &mut parts)
        };

        match access {
            // A reader of such a rule would believe that the request is checked.
            Some(access @ (Access::Anonymous | Access::Deny)) => {
                if access == Access::Deny {
                    asked.extend(parts.into_iter().map(|at| (at, OnlyTokens::No)));
                }
                for (at, _) in asked {
                    let found = format!("a requirement beside access: {}", access.word());
                    let expected = "access: required or optional";
                    self.findings.unfit(at, found, expected);
                }
            }
            Some(Access::Optional | Access::Required) | None => {
                if let Some(accepts) = &accepts {
                    if keys_alone {
                        let of_tokens = asked.iter().filter(|(_, only)| *only == OnlyTokens::Yes);
                        for (at, _) in of_tokens {
                            let found = "a requirement on tokens where only API keys are accepted";
                            let expected = "a provider in credentials";
                            self.findings.unfit(*at, found, expected);
                        }
                    }
                    self.refuse_two_introspectors(accepts, names, credentials_at);
                }
            }
        }

        let mcp = mcp?;
        #[cfg(feature = "ai")]
        let bodies = bodies?;
        let rule = Rule {
            label: label?.unwrap_or_else(|| self.findings.path(at).into()),
            access: access?,
            accepts: accepts?.resolve(providers)?,
            locations: Vec::new(),
            audiences: audiences?,
            demands: Rc::new(demands?),
            claims: claims?,
            refusal_form: match mcp {
                Some(_) => RefusalForm::JsonRpc,
                #[cfg(feature = "ai")]
                None if bodies.are_for_models() => RefusalForm::ModelApi,
                None => RefusalForm::Plain,
            },
            mcp,
            #[cfg(feature = "ai")]
            body: bodies.limits,
            #[cfg(feature = "ai")]
            models: bodies.models,
            #[cfg(feature = "ai")]
            prompts: bodies.prompts,
            #[cfg(feature = "ai")]
            budgets: bodies.budgets,
        };
        Some((rule, matches?))
    }

    /// What a rule, or a part of it, asks of its callers.
    pub(super) fn demands(
        &mut self,
        scopes: Optional<ScopesConfig<'v>>,
        authentication: Optional<AuthenticationConfig<'v>>,
        approval: Optional<ApprovalConfig<'v>>,
        matching: Option<&Match>,
        asked: &mut Asked,
    ) -> Option<Demands> {
        let scopes = self.asked_scopes(scopes, asked);
        for (at, is_absent) in [
            (authentication.at, authentication.is_absent()),
            (approval.at, approval.is_absent()),
        ] {
            if !is_absent {
                asked.push((at, OnlyTokens::Yes));
            }
        }
        let authentication = authentication.and_then(|a| self.authentication(a));
        let approval = approval.and_then(|approval| self.approval(approval.value, matching));
        Some(Demands {
            scopes: Vec::from_iter(scopes?),
            authentication: authentication?,
            approvals: Vec::from_iter(approval?),
        })
    }

    /// The scopes that a rule, or a part of it, asks for; the inner `None`: it asks for none.
    pub(super) fn asked_scopes(
        &mut self,
        scopes: Optional<ScopesConfig<'v>>,
        asked: &mut Asked,
    ) -> Option<Option<RequiredScopes>> {
        let at = scopes.at;
        let scopes = scopes.or_empty(&mut self.findings);
        let scopes = scopes.and_then(|scopes| self.required_scopes(scopes.value))?;
        let scopes = (!scopes.is_empty()).then_some(scopes);
        if scopes.is_some() {
            asked.push((at, OnlyTokens::No));
        }
        Some(scopes)
    }

    fn approval(
        &mut self,
        approval: ApprovalConfig<'_>,
        matching: Option<&Match>,
    ) -> Option<Approval> {
        let (kind, identifier, once) = match approval {
            ApprovalConfig::Type(kind) => (self.text(kind), Some(Identifier::Named), Some(false)),
            ApprovalConfig::Object(ApprovalObjectConfig {
                kind,
                identifier,
                once,
            }) => {
                let kind = kind.and_then(|kind| self.text(kind));
                let identifier = identifier.map_or(Identifier::Named, |part| {
                    let part = self.request_part(part.value, matching);
                    part.map(Identifier::Part)
                });
                (kind, identifier, once.or(false).map(|once| once.value))
            }
        };
        Some(Approval {
            details: self.registered_claim("authorization_details"),
            kind: kind?,
            identifier: identifier?,
            once: once?,
        })
    }

    /// An opaque token does not say which provider issued it.
    fn refuse_two_introspectors(
        &mut self,
        accepts: &AcceptedIds,
        names: Option<&CredentialNames<'_>>,
        at: At,
    ) {
        let mut asked: Vec<Option<ProviderId>> = vec![None; self.locations.values.len()];
        for (id, locations) in &self.introspecting {
            if accepts.providers.binary_search(id).is_err() {
                continue;
            }
            for location in locations {
                let slot = asked.get_mut(location.0);
                let Some(first) = slot.and_then(|slot| slot.replace(*id)) else {
                    continue;
                };
                let name = |id| names.and_then(|n| n.provider(id)).unwrap_or_default();
                let (first, second) = (name(first), name(*id));
                let location = self.mention(*location);
                let found = format!("{first} and {second}, which both introspect {location}");
                self.findings
                    .unfit(at, found, "one such provider per location");
                return;
            }
        }
    }

    fn matches(&mut self, matches: MatchConfig<'_>, quirks: Option<PathQuirks>) -> Option<Match> {
        let MatchConfig {
            path,
            methods,
            hosts,
            headers,
        } = matches;
        let path_at = path.at;
        let path = path.and_then(|path| {
            let (at, path) = match path.value {
                PathMatchConfig::Exact(path) => (path.at, PathMatch::exact(path.value)),
                PathMatchConfig::Prefix(path) => (path.at, PathMatch::prefix(path.value)),
                PathMatchConfig::Template(path) => (path.at, PathMatch::template(path.value)),
                PathMatchConfig::Regex(path) => (path.at, PathMatch::regex(path.value)),
            };
            self.matched(path, at)
        });
        let methods = methods.map_or(Vec::new(), |methods| {
            self.each(methods.value, |compiler, method| {
                compiler.matched(Method::parse(method.value), method.at)
            })
        });
        let hosts = hosts.map_or(Vec::new(), |hosts| {
            self.each(hosts.value, |compiler, host| {
                compiler.matched(HostPattern::parse(host.value), host.at)
            })
        });
        let headers = headers.map_or(Vec::new(), |headers| {
            self.each(headers.value, Self::header_match)
        });
        let matches = Match::new(path?, methods?, hosts?, headers?, quirks?);
        self.matched(matches, path_at)
    }

    fn header_match(&mut self, condition: Located<HeaderMatchConfig<'_>>) -> Option<HeaderMatch> {
        let HeaderMatchConfig {
            name,
            test: ExactlyOne(test),
        } = condition.value;
        let name = name.and_then(|name| self.compared_header(name));
        let (name, test) = (name?, test?);
        let value = |compiler: &mut Self, text: Located<&str>, is_whole| {
            compiler.matched(header::value(&name, text.value, is_whole), text.at)
        };
        let test = match test {
            HeaderTestConfig::Equals(text) => HeaderTest::OneOf(vec![value(self, text, true)?]),
            HeaderTestConfig::OneOf(texts) => {
                let texts = self.each(texts.value, |compiler, text| value(compiler, text, true));
                HeaderTest::OneOf(texts?)
            }
            HeaderTestConfig::Prefix(text) => HeaderTest::Prefix(value(self, text, false)?),
            HeaderTestConfig::Present(present) => {
                self.present(present)?;
                HeaderTest::Present
            }
        };
        Some(HeaderMatch::new(name, test))
    }

    fn present(&mut self, Located { at, value }: Located<bool>) -> Option<()> {
        if !value {
            self.findings.unfit(at, "false", "true");
        }
        value.then_some(())
    }

    fn matched<T>(&mut self, result: Result<T, InvalidMatch>, at: At) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.findings.invalid(at, invalid.to_string());
                None
            }
        }
    }

    fn accepted(
        &mut self,
        credentials: Optional<NonEmpty<&str>>,
        names: Option<&CredentialNames<'_>>,
    ) -> Option<AcceptedIds> {
        let names = names?;
        let all = AcceptedIds {
            providers: (0..names.providers.len()).map(ProviderId).collect(),
            api_keys: names.api_keys,
        };
        credentials.map_or(all, |credentials| {
            let mut accepted = AcceptedIds {
                providers: Vec::new(),
                api_keys: false,
            };
            self.each(
                credentials.value,
                |compiler, Located { at, value: name }| {
                    if name == API_KEYS && names.api_keys {
                        accepted.api_keys = true;
                    } else if let Some(id) = names.ids.get(name) {
                        insert_sorted(&mut accepted.providers, ProviderId(*id));
                    } else {
                        let known = names.to_string();
                        compiler.findings.unfit(at, quoted(name), known);
                        return None;
                    }
                    Some(())
                },
            )?;
            Some(accepted)
        })
    }

    fn required_scopes(&mut self, scopes: ScopesConfig<'_>) -> Option<RequiredScopes> {
        let ScopesConfig { all, any } = scopes;
        let all = self.scopes(all);
        let any = self.scopes(any);
        Some(RequiredScopes {
            all: all?,
            any: any?,
        })
    }

    /// Scope-tokens; none where nothing is written.
    pub(super) fn scopes(&mut self, scopes: Optional<ListOf<&str>>) -> Option<Vec<Scope>> {
        scopes.map_or(Vec::new(), |scopes| self.each(scopes.value, Self::scope))
    }

    pub(super) fn scope(&mut self, Located { at, value }: Located<&str>) -> Option<Scope> {
        let scope = Scope::new(value);
        if scope.is_none() {
            let expected = "a scope: printable ASCII without space, quote and backslash";
            self.findings.unfit(at, quoted(value), expected);
        }
        scope
    }

    /// RFC 9470 §4: what a challenge asks for must fit into `acr_values` and `max_age`.
    fn authentication(
        &mut self,
        Located { at, value }: Located<AuthenticationConfig<'_>>,
    ) -> Option<Authentication> {
        let AuthenticationConfig { acr, max_age } = value;
        if acr.is_absent() && max_age.is_absent() {
            let expected = "at least one of acr, max_age";
            self.findings.unfit(at, "no requirement", expected);
        }
        let contexts = acr.and_then(|acr| {
            self.each(acr.value, |compiler, Located { at, value }| {
                if Scope::new(value).is_none() {
                    let expected = "an acr: printable ASCII without space, quote and backslash";
                    compiler.findings.unfit(at, quoted(value), expected);
                    return None;
                }
                Some(Box::from(value))
            })
        });
        let max_age = max_age.and_then(|max_age| self.seconds_within(max_age, AUTHENTICATION_AGE));
        let (acr, auth_time) = (
            self.registered_claim("acr"),
            self.registered_claim("auth_time"),
        );
        Some(Authentication {
            contexts: contexts?.map(|values| (acr, values)),
            max_age: max_age?.map(|age| (auth_time, age)),
        })
    }

    /// A claim of the IANA registry, which is a member of the claims themselves.
    fn registered_claim(&mut self, name: &str) -> ClaimId {
        ClaimId(self.claims.index(ClaimPath::of_member(name)))
    }

    fn condition(
        &mut self,
        condition: Located<ConditionConfig<'_>>,
        matching: Option<&Match>,
        keys_alone: bool,
    ) -> Option<Condition> {
        let ConditionConfig {
            claim,
            test: ExactlyOne(test),
        } = condition.value;
        let claim = claim.and_then(|claim| self.needed_claim(claim, keys_alone));
        let test = test.and_then(|test| self.test(test, matching));
        Some(Condition {
            claim: claim?,
            test: test?,
        })
    }

    /// A claim that callers of a rule must have; `keys_alone`: all of them have API keys.
    pub(super) fn needed_claim(
        &mut self,
        claim: Located<ClaimConfig<'_>>,
        keys_alone: bool,
    ) -> Option<ClaimId> {
        let at = claim.at;
        let path = self.claim(claim)?;
        if keys_alone && path.of_api_key().is_none() {
            let message = "no API key has this claim: no request can meet this rule";
            self.findings.warn(at, message);
        }
        Some(ClaimId(self.claims.index(path)))
    }

    pub(super) fn claim_id(&mut self, claim: Located<ClaimConfig<'_>>) -> Option<ClaimId> {
        let path = self.claim(claim)?;
        Some(ClaimId(self.claims.index(path)))
    }

    fn test(&mut self, test: ClaimTestConfig<'_>, matching: Option<&Match>) -> Option<Test> {
        match test {
            ClaimTestConfig::Equals(Located { at, value }) => match value {
                EqualsConfig::Value(value) => self.scalar(Located { at, value }).map(Test::Equals),
                EqualsConfig::Part(part) => self.request_part(part, matching).map(Test::EqualsPart),
            },
            ClaimTestConfig::Contains(value) => self.scalar(value).map(Test::Contains),
            ClaimTestConfig::OneOf(values) => {
                self.each(values.value, Self::scalar).map(Test::OneOf)
            }
            ClaimTestConfig::Present(present) => self.present(present).map(|()| Test::Present),
        }
    }

    /// `matching` is `None` where it is faulty.
    pub(super) fn request_part(
        &mut self,
        part: RequestPartConfig<'_>,
        matching: Option<&Match>,
    ) -> Option<RequestPart> {
        match part {
            RequestPartConfig::Path(Located { at, value: name }) => {
                let segment = matching?.variable(name);
                if segment.is_none() {
                    let expected = "a name in the path.template of this rule";
                    self.findings.unfit(at, quoted(name), expected);
                }
                segment.map(RequestPart::Segment)
            }
            RequestPartConfig::Header(name) => self.compared_header(name).map(RequestPart::Header),
            RequestPartConfig::Host(Located { at, value: label }) => {
                if label > LAST_LABEL {
                    let expected = format!("0 to {LAST_LABEL}");
                    self.findings.unfit(at, label.to_string(), expected);
                    return None;
                }
                usize::try_from(label).ok().map(RequestPart::HostLabel)
            }
        }
    }

    /// YAML reads a forgotten value as `null`; and of arrays and objects nothing says when two are
    /// equal.
    fn scalar(&mut self, Located { at, value }: Located<&Value<'_>>) -> Option<Value<'static>> {
        match value {
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(value.clone().into_owned())
            }
            Value::Array(_) | Value::Null | Value::Object(_) => {
                let expected = "a string, a number or a boolean";
                self.findings.wrong_type(at, value, expected);
                None
            }
        }
    }
}

// === impl AcceptedIds ===

impl AcceptedIds {
    /// `None` where a provider is faulty.
    fn resolve(self, providers: &[Rc<Provider>]) -> Option<Accepted> {
        let accepted = self.providers.iter();
        let accepted = accepted.map(|id| providers.get(id.0).cloned());
        Some(Accepted {
            providers: accepted.collect::<Option<_>>()?,
            api_keys: self.api_keys,
        })
    }
}

// === impl CredentialNames ===

impl<'v> CredentialNames<'v> {
    pub(super) fn new(providers: Vec<&'v str>, api_keys: bool) -> Self {
        let ids = providers.iter().enumerate();
        CredentialNames {
            ids: ids.map(|(i, name)| (*name, i)).collect(),
            providers,
            api_keys,
        }
    }

    fn provider(&self, id: ProviderId) -> Option<&'v str> {
        self.providers.get(id.0).copied()
    }
}

/// The names that a rule can list.
impl std::fmt::Display for CredentialNames<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A message has one line, and an unprintable name could break it.
        let unprintable = |name: &&str| name.contains(json::is_escaped);
        if self.providers.len() > LISTED_NAMES || self.providers.iter().any(unprintable) {
            return f.write_str("the name of a provider or api_keys");
        }
        let names = self.providers.iter().copied();
        f.write_str(&alternatives(
            names.chain(self.api_keys.then_some(API_KEYS)),
        ))
    }
}
