//! A table of cases against one gateway: every row runs, and all failures are told at the end.

use super::client::{Answer, Request, Seen};
use super::gateway::Gateway;
use super::refusal::{self, Challenge, expect};

pub struct Rows<'g> {
    gateway: &'g Gateway,
    /// What a client sent and nobody may repeat.
    secrets: Vec<Vec<u8>>,
    failures: Vec<String>,
}

impl<'g> Rows<'g> {
    pub(super) fn of(gateway: &'g Gateway) -> Self {
        Self {
            gateway,
            secrets: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// The request reaches the upstream.
    pub fn passes(&mut self, name: &str, request: Request) {
        self.sees(name, request, |_| Ok(()));
    }

    /// The request reaches the upstream, and this holds of what came there.
    pub fn sees(
        &mut self,
        name: &str,
        request: Request,
        check: impl FnOnce(&Seen) -> Result<(), String>,
    ) {
        self.row(name, request, |answer| check(&answer.seen()?));
    }

    /// The request reaches the upstream with these values of these headers, and no other.
    pub fn forwards(&mut self, name: &str, request: Request, headers: &[(&str, &[&str])]) {
        self.sees(name, request, |seen| {
            headers.iter().try_for_each(|(header, values)| {
                expect(header, &seen.all(header), &values.to_vec())
            })
        });
    }

    /// The request reaches the upstream with this path.
    pub fn arrives_at(&mut self, name: &str, request: Request, path: &str) {
        self.sees(name, request, |seen| {
            expect("path", &seen.path.as_str(), &path)
        });
    }

    /// Refused by this code.
    pub fn refuses(&mut self, name: &str, request: Request, code: &str) {
        self.row(name, request, |answer| {
            refusal::check(answer, code, Challenge::Bearer)
        });
    }

    /// Refused where the rule takes API keys alone.
    pub fn refuses_key(&mut self, name: &str, request: Request, code: &str) {
        self.row(name, request, |answer| {
            refusal::check(answer, code, Challenge::ApiKey)
        });
    }

    /// Refused by this code, or before us by Envoy's own bare 400 or, for what is no path, 404.
    pub fn refuses_or_envoy_does(&mut self, name: &str, request: Request, code: &str) {
        self.row(name, request, |answer| {
            let bare = [400, 404].contains(&answer.status) && answer.json().is_err();
            if bare {
                Ok(())
            } else {
                refusal::check(answer, code, Challenge::Bearer)
            }
        });
    }

    /// Any other check of an answer.
    pub fn row(
        &mut self,
        name: &str,
        request: Request,
        check: impl FnOnce(&Answer) -> Result<(), String>,
    ) {
        let answer = match request.send(self.gateway.port()) {
            Ok(answer) => answer,
            Err(error) => return self.fail(name, &format!("no answer: {error}"), &request, None),
        };
        let mut verdict = check(&answer);
        if answer.header("x-echo").is_none()
            && request.secrets().any(|secret| answer.contains(secret))
        {
            verdict = Err("the answer repeats a credential".to_owned());
        }
        self.secrets.extend(request.secrets().map(<[u8]>::to_vec));
        if let Err(reason) = verdict {
            self.fail(name, &reason, &request, Some(&answer));
        }
    }

    fn fail(&mut self, name: &str, reason: &str, request: &Request, answer: Option<&Answer>) {
        let answer = answer
            .map(|answer| format!("{answer:?}"))
            .unwrap_or_default();
        self.failures.push(format!(
            "=== {name}: {reason}\n--- request\n{request:?}--- answer\n{answer}"
        ));
    }

    pub(super) fn finish(mut self) {
        let log = self.gateway.log();
        if self
            .secrets
            .iter()
            .any(|secret| log.contains(&*String::from_utf8_lossy(secret)))
        {
            self.failures
                .push("=== the log repeats a credential".to_owned());
        }
        let (count, failures) = (self.failures.len(), self.failures.join("\n"));
        assert!(
            count == 0,
            "{count} rows failed\n{failures}\n--- Envoy's log ends with\n{}",
            self.gateway.log_tail()
        );
    }
}
