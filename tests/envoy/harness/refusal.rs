//! What every refusal has in common (contract: status, body and challenge follow from the code).

use serde_json::Value;

use super::client::Answer;
use super::codes::class;

/// The scheme that the `WWW-Authenticate` of a refusal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    Bearer,
    ApiKey,
    DPoP,
}

/// That the answer is a refusal by this code, and a well-formed one.
pub fn check(answer: &Answer, expected: &str, challenge: Challenge) -> Result<(), String> {
    if answer.header("x-echo").is_some() {
        return Err("the request reached the upstream".to_owned());
    }
    let whole = answer.json()?;
    let is_json_rpc = whole.get("jsonrpc").is_some();
    // An error of JSON-RPC has the same members in its data, and some of them beside it.
    let body = match is_json_rpc {
        true => {
            let mut data = whole["error"]["data"].clone();
            data["error_description"] = whole["error_description"].clone();
            expect(
                "message",
                &whole["error"]["message"],
                &whole["error_description"],
            )?;
            expect("code beside the error", &whole["code"], &data["code"])?;
            data
        }
        false => whole,
    };
    let member = |name: &str| body[name].as_str().unwrap_or_default();
    let code = member("code");
    if code != expected {
        return Err(format!("the code is `{code}`"));
    }
    let (status, error) = class(code);
    expect("status", &answer.status, &status)?;
    expect("error", &member("error"), &error)?;
    if member("error_description").is_empty() {
        return Err("error_description is missing or empty".to_owned());
    }
    let members: Vec<&String> = body
        .as_object()
        .into_iter()
        .flat_map(|body| body.keys())
        .collect();
    if !is_json_rpc {
        let wanted = if code == "APPROVAL_REQUIRED" { 4 } else { 3 };
        expect("number of members in the body", &members.len(), &wanted)?;
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    if content_type != "application/json" && !content_type.starts_with("application/json;") {
        return Err(format!("content-type is `{content_type}`"));
    }
    expect(
        "cache-control",
        &answer.all("cache-control"),
        &vec!["no-store".to_owned()],
    )?;
    check_retry_after(answer)?;
    check_challenge(answer, &body, challenge)
}

fn check_retry_after(answer: &Answer) -> Result<(), String> {
    let seconds = answer
        .header("retry-after")
        .and_then(|seconds| seconds.parse::<u32>().ok());
    if (answer.status == 503) == seconds.is_some_and(|seconds| seconds > 0) {
        Ok(())
    } else {
        Err(format!(
            "retry-after of a {} is {:?}",
            answer.status,
            answer.all("retry-after")
        ))
    }
}

/// RFC 6750 §3, and RFC 9110 §11.6.1 for the scheme that is not Bearer.
fn check_challenge(answer: &Answer, body: &Value, challenge: Challenge) -> Result<(), String> {
    let challenges = answer.all("www-authenticate");
    let error = body["error"].as_str().unwrap_or_default();
    let is_challenge = answer.status == 401
        || ["insufficient_scope", "insufficient_authorization_details"].contains(&error);
    if !is_challenge && answer.status != 400 {
        return expect("WWW-Authenticate", &challenges, &Vec::new());
    }
    // Where tokens may be bound to a key there is a second one (RFC 9449 §7.1), and the error stands in that of
    // the scheme that the client used.
    let (other, own) = match challenge {
        Challenge::DPoP => (challenges.first(), challenges.get(1)),
        Challenge::Bearer | Challenge::ApiKey => (challenges.get(1), challenges.first()),
    };
    if challenges.len() > 2 || other.is_some_and(|text| text.contains("error")) {
        return Err(format!("WWW-Authenticate: {challenges:?}"));
    }
    let Some(text) = own else {
        return expect("a challenge", &is_challenge, &false);
    };
    let (scheme, parameters) =
        parse(text).ok_or_else(|| format!("WWW-Authenticate does not parse: {text}"))?;
    expect("scheme", &scheme, &format!("{challenge:?}"))?;
    let parameter = |name: &str| {
        parameters
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    };
    if parameter("realm").is_none() {
        return Err(format!("WWW-Authenticate without a realm: {text}"));
    }
    // RFC 6750 §3.1: without any credential the challenge tells nothing about errors.
    let told = body["code"] != "MISSING_TOKEN";
    if challenge != Challenge::ApiKey || !told {
        expect(
            "error in WWW-Authenticate",
            &parameter("error"),
            &told.then_some(error),
        )?;
        let description = body["error_description"].as_str();
        expect(
            "error_description in WWW-Authenticate",
            &parameter("error_description"),
            &description.filter(|_| told),
        )?;
    }
    Ok(())
}

/// A challenge's scheme and its parameters, all quoted.
pub fn parse(challenge: &str) -> Option<(String, Vec<(String, String)>)> {
    let (scheme, mut rest) = challenge.split_once(' ')?;
    let mut parameters = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"")?;
        let (mut text, mut characters) = (String::new(), value.char_indices());
        let end = loop {
            match characters.next()? {
                (end, '"') => break end,
                (_, '\\') => text.push(characters.next()?.1),
                (_, character) => text.push(character),
            }
        };
        parameters.push((name.to_owned(), text));
        rest = &value[end + 1..];
        if rest.is_empty() {
            return Some((scheme.to_owned(), parameters));
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

pub fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    wanted: &T,
) -> Result<(), String> {
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {wanted:?}"))
    }
}
