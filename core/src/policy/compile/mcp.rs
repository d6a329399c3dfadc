//! Rules for MCP servers: which messages pass, and what each asks of its caller.

use std::rc::Rc;

#[cfg(feature = "ai")]
use crate::config::McpList;
use crate::config::fault::quoted;
use crate::config::reader::{ListOf, Located, Optional, Required};
use crate::config::{
    ApprovalConfig, AuthenticationConfig, McpBody, McpConfig, McpNameConfig, McpUriConfig,
    ScopesConfig,
};
use crate::mcp::{self, uri};
use crate::policy::compile::asked::Asked;
use crate::policy::compile::compiler::Compiler;
use crate::policy::compile::patterns::SeenPatterns;
use crate::policy::demands::Demands;
use crate::policy::mcp::{Entry, Mcp};
use crate::policy::route::Match;
use crate::request::header_name::HeaderName;

/// What clients need to find out what a server offers.
const DEFAULT_METHODS: [&str; 5] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
];

/// What the lists of tools, prompts and resources decide.
const NAMED_METHODS: [&str; 3] = ["prompts/get", "resources/read", "tools/call"];

/// One element of these lists, whatever it is for.
struct EntryConfig<'v> {
    pattern: Required<&'v str>,
    is_uri: bool,
    scopes: Optional<ScopesConfig<'v>>,
    authentication: Optional<AuthenticationConfig<'v>>,
    approval: Optional<ApprovalConfig<'v>>,
}

impl<'v> Compiler<'v> {
    /// `own` is what the rule asks itself.
    pub(super) fn mcp(
        &mut self,
        mcp: Located<McpConfig<'v>>,
        own: &Demands,
        matching: Option<&Match>,
        asked: &mut Asked,
    ) -> Option<Mcp> {
        let McpConfig {
            origins,
            tools,
            prompts,
            resources,
            methods,
            body,
            list,
        } = mcp.value;
        let compared = mcp::HEADERS.map(|name| (HeaderName::new(name), mcp.at));
        self.compared_headers.extend(compared);
        let origins = origins.map_or(Vec::new(), |origins| self.each(origins.value, Self::origin));
        let tools = self.entries(tools, own, matching, asked);
        let prompts = self.entries(prompts, own, matching, asked);
        let resources = self.entries(resources, own, matching, asked);
        let methods = methods.map_or(DEFAULT_METHODS.map(Box::from).into(), |methods| {
            self.each(methods.value, Self::mcp_method)
        });
        if body.is_absent() {
            let message = "unset: before a server that does not compare MCP's headers with the body, a \
                           client that lies in them reaches everything; write server where it does";
            self.findings.warn(body.at, message);
        }
        let verifies_body = body.map_or(false, |body| match body.value {
            McpBody::Server => Some(false),
            #[cfg(feature = "ai")]
            McpBody::Verify => Some(true),
        });
        let filters_lists = list.map_or(false, |list| match list.value {
            #[cfg(feature = "ai")]
            McpList::Filter => Some(true),
        });
        Some(Mcp {
            origins: origins?,
            tools: tools?,
            prompts: prompts?,
            resources: resources?,
            methods: methods?,
            verifies_body: verifies_body?,
            filters_lists: filters_lists?,
        })
    }

    fn entries<E: Into<EntryConfig<'v>>>(
        &mut self,
        entries: Optional<ListOf<E>>,
        own: &Demands,
        matching: Option<&Match>,
        asked: &mut Asked,
    ) -> Option<Vec<Entry>> {
        let mut seen = SeenPatterns::default();
        entries.map_or(Vec::new(), |entries| {
            self.each(entries.value, |compiler, entry| {
                let entry = compiler.entry(entry.value.into(), own, matching, asked)?;
                seen.note(entry.at, &entry.value.pattern, &mut compiler.findings);
                Some(entry.value)
            })
        })
    }

    /// Where its name stands, and what it means.
    fn entry(
        &mut self,
        entry: EntryConfig<'v>,
        own: &Demands,
        matching: Option<&Match>,
        asked: &mut Asked,
    ) -> Option<Located<Entry>> {
        let EntryConfig {
            pattern,
            is_uri,
            scopes,
            authentication,
            approval,
        } = entry;
        let pattern = pattern.and_then(|pattern| {
            let Located { at, value } = pattern;
            let pattern = self.pattern(pattern)?;
            if is_uri && !uri::is_unambiguous(value) {
                let expected = "a URI without dot segments and backslashes before its query";
                self.findings.unfit(at, quoted(value), expected);
                return None;
            }
            Some(pattern)
        });
        let acr = self.findings.key(authentication.at, "acr");
        let demands = self.demands(scopes, authentication, approval, matching, asked)?;
        let demands = match demands.is_empty() {
            true => None,
            false => match own.and(demands) {
                Ok(demands) => Some(Rc::new(demands)),
                Err(_) => {
                    let expected = "at least one value that the rule accepts too";
                    self.findings.unfit(acr, "none of the rule's acr", expected);
                    return None;
                }
            },
        };
        let Located { at, value: pattern } = pattern?;
        let value = Entry { pattern, demands };
        Some(Located { at, value })
    }

    fn mcp_method(&mut self, Located { at, value }: Located<&str>) -> Option<Box<str>> {
        if NAMED_METHODS.contains(&value) {
            let expected = "a method that tools, prompts and resources do not decide";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        let is_legal = |b: u8| b.is_ascii_graphic() && b != b'*';
        if value.is_empty() || !value.bytes().all(is_legal) {
            let expected = "a method without white space and wildcards";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        Some(value.into())
    }
}

// === impl EntryConfig ===

impl<'v> From<McpNameConfig<'v>> for EntryConfig<'v> {
    fn from(config: McpNameConfig<'v>) -> Self {
        let McpNameConfig {
            name,
            scopes,
            authentication,
            approval,
        } = config;
        EntryConfig {
            pattern: name,
            is_uri: false,
            scopes,
            authentication,
            approval,
        }
    }
}

impl<'v> From<McpUriConfig<'v>> for EntryConfig<'v> {
    fn from(config: McpUriConfig<'v>) -> Self {
        let McpUriConfig {
            uri,
            scopes,
            authentication,
            approval,
        } = config;
        EntryConfig {
            pattern: uri,
            is_uri: true,
            scopes,
            authentication,
            approval,
        }
    }
}
