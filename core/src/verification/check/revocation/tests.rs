use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::RevocationLists;
use crate::json;
use crate::policy::compile;
use crate::time::UnixTime;
use crate::verification::claims::{ClaimsSource, validate_claims};
use crate::verification::refusal::Refusal;

/// What an answer says can be revoked only where the list is; without the list, nothing is known.
#[test]
fn an_answer_is_not_accepted_without_the_replica_of_its_list() {
    let with_list = r#", "revocation": {"list": {"cluster": "a", "uri": "http://a/list"}}"#;
    let unavailable = Err(Refusal::RevocationUnavailable {
        retry_after: Duration::ZERO,
    });
    for (list, has_replica, expected) in [
        (with_list, false, unavailable),
        (with_list, true, Ok(())),
        ("", false, Ok(())),
    ] {
        let configuration = format!(
            r#"{{"providers": {{"corp": {{
                "issuer": "https://issuer.example", "audiences": ["api"],
                "introspection": {{
                    "cluster": "a", "uri": "http://a/ask",
                    "client_id": "filter", "client_secret": {{"danger_inline": "secret"}}
                }}{list}
            }}}}, "rules": [{{}}]}}"#
        );
        let compiled = compile(configuration.as_bytes(), &|_| None);
        let policy = compiled.expect("a valid configuration").policy;
        let provider = Rc::clone(&policy.providers[0]);
        let claims = json::parse_object(br#"{"aud": "api", "sub": "alice"}"#).unwrap();
        let (source, now) = (ClaimsSource::Answer, UnixTime::from_secs(0));
        let caller = validate_claims(&policy, &provider, &claims, source, now).unwrap();
        let lists = match has_replica {
            true => RevocationLists::new(&policy),
            false => RevocationLists(BTreeMap::new()),
        };
        let checked = lists.check_answer(&provider, &caller, &caller);
        assert_eq!(checked, expected, "{configuration}");
    }
}
