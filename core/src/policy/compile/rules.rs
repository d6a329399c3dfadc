//! Rules: which requests they are for, and what they ask.

use crate::config::reader::{At, Field, List, OneOrMore, alternatives, quoted};
use crate::config::{self, Claim};
use crate::json::{self, Value};
use crate::policy::compile::{API_KEYS, Compiler, Issuers, all_or_none, insert_sorted};
use crate::policy::requirement::{Accepted, Access, Condition, Rule, Test};
use crate::policy::route::path::PathMatch;
use crate::policy::route::{HostPattern, InvalidMatch, Match, Method};
use crate::policy::{ClaimId, ProviderId};
use crate::request::path::PathQuirks;
use crate::scope::{RequiredScopes, Scope};

/// Named in a message where a rule names somebody unknown.
const NAMED_ISSUERS: usize = 16;

impl Compiler<'_> {
    /// `issuers` is `None` where nobody can say who they are.
    pub(super) fn rules(
        &mut self,
        rules: List<config::Rule<'_>>,
        issuers: Option<&Issuers<'_>>,
        at: At<'_>,
    ) -> Option<(Vec<Rule>, Vec<Match>)> {
        let rules = rules.into_indexed();
        let rules = all_or_none(rules.map(|(i, rule)| self.rule(rule, issuers, at.index(i))));
        Some(rules?.into_iter().unzip())
    }

    fn rule(
        &mut self,
        rule: config::Rule<'_>,
        issuers: Option<&Issuers<'_>>,
        at: At<'_>,
    ) -> Option<(Rule, Match)> {
        let config::Rule {
            name,
            matches,
            access,
            credentials,
            audiences,
            scopes,
            claims,
            danger_allow_in_path,
        } = rule;

        let label = match name {
            Field::Absent => Some(at.to_string().into()),
            Field::Faulty => None,
            Field::Given(name) => self.text(name, at.key("name")),
        };
        let oddities = danger_allow_in_path.map_or(PathQuirks::NONE, |list| {
            let oddities = list.iter().map(|(_, oddity)| match oddity {
                config::PathQuirk::EncodedSlash => PathQuirks::ENCODED_SLASH,
                config::PathQuirk::DoubleSlash => PathQuirks::DOUBLE_SLASH,
                config::PathQuirk::Semicolon => PathQuirks::SEMICOLON,
            });
            Some(oddities.fold(PathQuirks::NONE, |all, oddity| all | oddity))
        });
        let matches = matches.or(config::Match::default());
        let matches = matches.and_then(|m| self.matches(m, oddities, at.key("match")));

        let access = access.or(config::Access::Required);
        let access = access.map(|access| match access {
            config::Access::Required => Access::Required,
            config::Access::Optional => Access::Optional,
            config::Access::Anonymous => Access::Anonymous,
            config::Access::Deny => Access::Deny,
        });
        let asks_credentials = !credentials.is_absent();
        let asks_audiences = !audiences.is_absent();
        let accepts = self.accepted(credentials, issuers, at.key("credentials"));
        let audiences = audiences.map_or(Vec::new(), |audiences| {
            self.texts(audiences, at.key("audiences"))
        });
        let scopes = scopes.or(config::Scopes::default());
        let scopes = scopes.and_then(|scopes| self.required_scopes(scopes, at.key("scopes")));
        let claims = claims.or(List::default());
        let claims = claims.and_then(|claims| self.conditions(claims, at.key("claims")));

        // Whoever reads such a rule would believe that the request is checked.
        if let Some(word) = access.and_then(asks_nothing) {
            let asked = [
                ("credentials", asks_credentials),
                ("audiences", asks_audiences),
                ("scopes", scopes.as_ref().is_some_and(|s| !s.is_empty())),
                ("claims", claims.as_ref().is_some_and(|c| !c.is_empty())),
            ];
            for (key, _) in asked.into_iter().filter(|(_, asked)| *asked) {
                let found = format!("a demand beside access: {word}");
                let expected = "one only beside access: required or optional";
                self.faults.unfit(at.key(key), found, expected);
            }
        } else if accepts
            .as_ref()
            .is_some_and(|a| a.api_keys && a.providers.is_empty())
        {
            if asks_audiences {
                let found = "a demand on tokens where only API keys are accepted";
                self.faults
                    .unfit(at.key("audiences"), found, "a provider in credentials");
            }
            if claims.as_ref().is_some_and(|claims| !claims.is_empty()) {
                let message = "no API key has claims: no request can meet this rule";
                self.warn(at.key("claims"), message);
            }
        }

        if let (None, Some(accepts)) = (access.and_then(asks_nothing), &accepts) {
            self.refuse_two_introspectors(accepts, issuers, at.key("credentials"));
        }

        let rule = Rule {
            label: label?,
            access: access?,
            accepts: accepts?,
            places: Vec::new(),
            audiences: audiences?,
            scopes: scopes?,
            claims: claims?,
        };
        Some((rule, matches?))
    }

    /// Nothing in an opaque token says whom to ask about it.
    fn refuse_two_introspectors(
        &mut self,
        accepts: &Accepted,
        issuers: Option<&Issuers<'_>>,
        at: At<'_>,
    ) {
        let mut asked: Vec<Option<ProviderId>> = vec![None; self.places.values.len()];
        for (id, places) in &self.introspecting {
            if accepts.providers.binary_search(id).is_err() {
                continue;
            }
            for place in places {
                let slot = asked.get_mut(place.0);
                let Some(first) = slot.and_then(|slot| slot.replace(*id)) else {
                    continue;
                };
                let name = |id| {
                    issuers
                        .and_then(|issuers| issuers.name(id))
                        .unwrap_or_default()
                };
                let place = self.place_paths.get(place.0).map_or("", String::as_str);
                let (first, second) = (name(first), name(*id));
                let found = format!("{first} and {second}, which both introspect {place}");
                self.faults.unfit(at, found, "one such provider per place");
                return;
            }
        }
    }

    fn matches(
        &mut self,
        matches: config::Match<'_>,
        oddities: Option<PathQuirks>,
        at: At<'_>,
    ) -> Option<Match> {
        let config::Match {
            path,
            methods,
            hosts,
        } = matches;
        let path_at = at.key("path");
        let path = path.and_then(|path| {
            let (key, path) = match path {
                config::PathMatch::Exact(text) => ("exact", PathMatch::exact(text)),
                config::PathMatch::Prefix(text) => ("prefix", PathMatch::prefix(text)),
                config::PathMatch::Template(text) => ("template", PathMatch::template(text)),
                config::PathMatch::Regex(text) => ("regex", PathMatch::regex(text)),
            };
            self.matched(path, path_at.key(key))
        });
        let methods = methods.map_or(Vec::new(), |methods| {
            self.each_matched(methods, Method::parse, at.key("methods"))
        });
        let hosts = hosts.map_or(Vec::new(), |hosts| {
            self.each_matched(hosts, HostPattern::parse, at.key("hosts"))
        });
        let matches = Match::new(path?, methods?, hosts?, oddities?);
        self.matched(matches, path_at)
    }

    fn each_matched<T>(
        &mut self,
        texts: OneOrMore<&str>,
        parse: fn(&str) -> Result<T, InvalidMatch>,
        at: At<'_>,
    ) -> Option<Vec<T>> {
        let texts = texts.into_indexed();
        all_or_none(texts.map(|(i, text)| self.matched(parse(text), at.index(i))))
    }

    fn matched<T>(&mut self, result: Result<T, InvalidMatch>, at: At<'_>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.faults.invalid(at, invalid.to_string());
                None
            }
        }
    }

    fn accepted(
        &mut self,
        credentials: Field<OneOrMore<&str>>,
        issuers: Option<&Issuers<'_>>,
        at: At<'_>,
    ) -> Option<Accepted> {
        let issuers = issuers?;
        let credentials = match credentials {
            Field::Faulty => return None,
            Field::Given(credentials) => credentials,
            Field::Absent => {
                return Some(Accepted {
                    providers: (0..issuers.names.len()).map(ProviderId).collect(),
                    api_keys: issuers.api_keys,
                });
            }
        };
        let mut providers = Vec::new();
        let mut api_keys = false;
        for (i, name) in credentials.into_indexed() {
            if name == API_KEYS && issuers.api_keys {
                api_keys = true;
            } else if let Some(id) = issuers.ids.get(name) {
                insert_sorted(&mut providers, ProviderId(*id));
            } else {
                self.faults
                    .unfit(at.index(i), quoted(name), issuers.to_string());
            }
        }
        Some(Accepted {
            providers,
            api_keys,
        })
    }

    fn required_scopes(
        &mut self,
        scopes: config::Scopes<'_>,
        at: At<'_>,
    ) -> Option<RequiredScopes> {
        let config::Scopes { all, any } = scopes;
        let all = self.scopes(all, at.key("all"));
        let any = self.scopes(any, at.key("any"));
        Some(RequiredScopes {
            all: all?,
            any: any?,
        })
    }

    /// Scope-tokens; none where nothing is written.
    pub(super) fn scopes(&mut self, scopes: Field<List<&str>>, at: At<'_>) -> Option<Vec<Scope>> {
        let scopes = scopes.or(List::default())?;
        all_or_none(scopes.into_indexed().map(|(i, text)| {
            let scope = Scope::new(text);
            if scope.is_none() {
                let expected = "a scope: printable ASCII without space, quote and backslash";
                self.faults.unfit(at.index(i), quoted(text), expected);
            }
            scope
        }))
    }

    fn conditions(
        &mut self,
        conditions: List<config::Condition<'_>>,
        at: At<'_>,
    ) -> Option<Vec<Condition>> {
        let conditions = conditions.into_indexed();
        all_or_none(conditions.map(|(i, condition)| self.condition(condition, at.index(i))))
    }

    fn condition(&mut self, condition: config::Condition<'_>, at: At<'_>) -> Option<Condition> {
        let config::Condition { claim, test } = condition;
        let claim = claim.and_then(|claim| self.claim_id(claim, at.key("claim")));
        let test = test.and_then(|test| self.test(test, at));
        Some(Condition {
            claim: claim?,
            test: test?,
        })
    }

    pub(super) fn claim_id(&mut self, claim: Claim<'_>, at: At<'_>) -> Option<ClaimId> {
        let path = self.claim(claim, at)?;
        Some(ClaimId(self.claims.index(path)))
    }

    fn test(&mut self, test: config::Test<'_>, at: At<'_>) -> Option<Test> {
        match test {
            config::Test::Equals(value) => self.scalar(value, at.key("equals")).map(Test::Equals),
            config::Test::Contains(value) => {
                self.scalar(value, at.key("contains")).map(Test::Contains)
            }
            config::Test::OneOf(values) => {
                let at = at.key("one_of");
                let values = values.into_indexed();
                all_or_none(values.map(|(i, value)| self.scalar(value, at.index(i))))
                    .map(Test::OneOf)
            }
            config::Test::Present(true) => Some(Test::Present),
            config::Test::Present(false) => {
                self.faults.unfit(at.key("present"), "false", "true");
                None
            }
        }
    }

    /// `null` is what YAML makes of a forgotten value, and arrays and objects have no one
    /// notion of equality.
    fn scalar(&mut self, value: &Value<'_>, at: At<'_>) -> Option<Value<'static>> {
        match value {
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(value.clone().into_owned())
            }
            Value::Array(_) | Value::Null | Value::Object(_) => {
                self.faults
                    .wrong_type(at, value, "a string, a number or a boolean");
                None
            }
        }
    }
}

/// The word for a kind of access that asks for no credential.
fn asks_nothing(access: Access) -> Option<&'static str> {
    match access {
        Access::Anonymous => Some("anonymous"),
        Access::Deny => Some("deny"),
        Access::Optional | Access::Required => None,
    }
}

// === impl Issuers ===

impl<'v> Issuers<'v> {
    pub(super) fn new(names: Vec<&'v str>, api_keys: bool) -> Self {
        let ids = names.iter().enumerate();
        Issuers {
            ids: ids.map(|(i, name)| (*name, i)).collect(),
            names,
            api_keys,
        }
    }

    fn name(&self, id: ProviderId) -> Option<&'v str> {
        self.names.get(id.0).copied()
    }
}

/// Whom a rule may name.
impl std::fmt::Display for Issuers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A name could break the line: the message would be two, the second of its choice.
        let unprintable = |name: &&str| name.contains(json::is_escaped);
        if self.names.len() > NAMED_ISSUERS || self.names.iter().any(unprintable) {
            return f.write_str("the name of a provider or api_keys");
        }
        let names = self.names.iter().copied();
        f.write_str(&alternatives(
            names.chain(self.api_keys.then_some(API_KEYS)),
        ))
    }
}
