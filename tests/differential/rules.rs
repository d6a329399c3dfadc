//! One set of rules, written twice: as a policy of ours and as virtual hosts and routes of Envoy's.

use serde_json::{Value, json};

/// A virtual host with its routes: each is a rule of ours and a route of Envoy's, in one order.
struct Site {
    name: &'static str,
    /// As both write them; `*` is every other host.
    domains: &'static [&'static str],
    doors: &'static [Door],
}

struct Door {
    name: &'static str,
    path: Path,
    /// Empty: every method.
    method: &'static str,
    access: Access,
    allows: &'static [&'static str],
}

enum Path {
    Any,
    Exact(&'static str),
    Prefix(&'static str),
    Regex(&'static str),
    /// With the regular expression that Envoy has for it. Envoy's own URI templates are narrower: `/**` wants a slash,
    /// and `{id}` takes only characters that RFC 3986 §3.3 has in a segment.
    Template(&'static str, &'static str),
}

/// What a door asks for: no two ask for the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    Anonymous,
    Deny,
    /// A token with a scope of the door's own name.
    Scope,
}

const fn scoped(name: &'static str, path: Path) -> Door {
    Door {
        name,
        path,
        method: "",
        access: Access::Scope,
        allows: &[],
    }
}

const fn open(name: &'static str, path: Path) -> Door {
    Door {
        access: Access::Anonymous,
        ..scoped(name, path)
    }
}

/// In the order in which Envoy chooses: exact names, then the longest suffix, then the rest. The weakest doors stand both
/// in narrow sites and in the widest one, so that a host or a path read in two ways finds a weaker one in either direction.
const SITES: &[Site] = &[
    Site {
        name: "www",
        domains: &["www.example.com"],
        doors: &[
            scoped("www-admin", Path::Prefix("/admin")),
            open("www-rest", Path::Any),
        ],
    },
    Site {
        name: "api",
        domains: &["api.example.com", "API-2.example.com"],
        doors: &[
            open("api-health", Path::Exact("/healthz")),
            Door {
                access: Access::Deny,
                ..scoped("api-internal", Path::Prefix("/v1/internal"))
            },
            Door {
                method: "POST",
                ..scoped("api-chat", Path::Prefix("/v1/chat"))
            },
            open("api-public", Path::Prefix("/v1/public")),
            scoped("api-v1", Path::Prefix("/v1")),
            scoped(
                "api-files",
                Path::Template("/users/{id}/files/**", "/users/[^/]+/files(?:/.*)?"),
            ),
            scoped("api-user", Path::Template("/users/{id}", "/users/[^/]+")),
            scoped("api-items", Path::Regex("/items/[0-9a-f]+")),
            scoped("api-space", Path::Exact("/with%20space")),
            scoped("api-strict", Path::Prefix("/lenient/strict")),
            Door {
                allows: &["encoded_slash", "double_slash", "semicolon"],
                ..scoped("api-lenient", Path::Prefix("/lenient"))
            },
            scoped("api-rest", Path::Any),
        ],
    },
    Site {
        name: "loopback",
        domains: &["[::1]"],
        doors: &[open("loopback-rest", Path::Any)],
    },
    Site {
        name: "address",
        domains: &["192.0.2.1"],
        doors: &[open("address-rest", Path::Any)],
    },
    // A request that no route of it takes ends here for Envoy; we go on to the rules for every host.
    Site {
        name: "partial",
        domains: &["partial.example.net"],
        doors: &[scoped("partial-only", Path::Prefix("/only"))],
    },
    Site {
        name: "deep",
        domains: &["*.deep.example.com"],
        doors: &[
            open("deep-public", Path::Prefix("/public")),
            scoped("deep-rest", Path::Any),
        ],
    },
    Site {
        name: "wild",
        domains: &["*.example.com"],
        doors: &[
            open("wild-health", Path::Exact("/healthz")),
            scoped("wild-rest", Path::Any),
        ],
    },
    Site {
        name: "any",
        domains: &["*"],
        doors: &[
            open("any-public", Path::Prefix("/public")),
            scoped("any-admin", Path::Prefix("/admin")),
            scoped("any-rest", Path::Any),
        ],
    },
];

pub fn access(name: &str) -> Access {
    door(name).access
}

/// Whether the door takes doubled and encoded slashes and semicolons.
pub fn is_lenient(name: &str) -> bool {
    !door(name).allows.is_empty()
}

fn door(name: &str) -> &'static Door {
    let mut doors = SITES.iter().flat_map(|site| site.doors);
    let door = doors.find(|door| door.name == name);
    door.unwrap_or_else(|| panic!("no door {name}"))
}

/// The scopes of all doors but this one.
pub fn scopes_but(name: &str) -> String {
    let doors = SITES.iter().flat_map(|site| site.doors);
    let names = doors.map(|door| door.name).filter(|other| *other != name);
    names.collect::<Vec<_>>().join(" ")
}

/// Our rules, in front of this provider.
pub fn policy(provider: Value) -> Value {
    let rules = SITES
        .iter()
        .flat_map(|site| site.doors.iter().map(|door| door.rule(site)));
    json!({ "providers": { "corp": provider }, "rules": rules.collect::<Vec<_>>(), "audit": "none" })
}

/// Envoy's routes; each answers by itself, with its name.
pub fn virtual_hosts() -> Value {
    let hosts = SITES.iter().map(|site| {
        let routes: Vec<Value> = site.doors.iter().map(Door::route).collect();
        json!({ "name": site.name, "domains": site.domains, "routes": routes })
    });
    hosts.collect()
}

impl Door {
    fn rule(&self, site: &Site) -> Value {
        let mut matching = json!({});
        match self.path {
            Path::Any => {}
            Path::Exact(text) => matching["path"] = json!({ "exact": text }),
            Path::Prefix(text) => matching["path"] = json!({ "prefix": text }),
            Path::Regex(text) => matching["path"] = json!({ "regex": text }),
            Path::Template(text, _) => matching["path"] = json!({ "template": text }),
        }
        if !self.method.is_empty() {
            matching["methods"] = json!([self.method]);
        }
        if site.domains != ["*"] {
            matching["hosts"] = json!(site.domains);
        }
        let mut rule = json!({ "name": self.name, "match": matching });
        match self.access {
            Access::Anonymous => rule["access"] = json!("anonymous"),
            Access::Deny => rule["access"] = json!("deny"),
            Access::Scope => rule["scopes"] = json!({ "all": [self.name] }),
        }
        if !self.allows.is_empty() {
            rule["danger_allow_in_path"] = json!(self.allows);
        }
        rule
    }

    fn route(&self) -> Value {
        let mut matching = match self.path {
            Path::Any => json!({ "prefix": "/" }),
            Path::Exact(text) => json!({ "path": text }),
            Path::Prefix(text) => json!({ "path_separated_prefix": text }),
            Path::Regex(text) | Path::Template(_, text) => {
                json!({ "safe_regex": { "regex": text } })
            }
        };
        if !self.method.is_empty() {
            matching["headers"] =
                json!([{ "name": ":method", "string_match": { "exact": self.method } }]);
        }
        json!({
            "match": matching,
            "direct_response": { "status": 200, "body": { "inline_string": self.name } },
        })
    }
}
