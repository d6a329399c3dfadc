//! The keys of a client that make claims up.

use serde_json::{Map, Number, Value};

use crate::clock::HumanDuration;
use crate::config::invalid::Invalid;
use crate::made_up::MadeUp;

/// The keys as the file has them.
pub struct Keys {
    /// `acr`
    pub acr: Option<String>,
    /// How long ago `auth_time` is.
    pub auth_age: Option<HumanDuration>,
    /// `authorization_details`
    pub authorization_details: Option<Vec<toml::Table>>,
}

/// Compiles the keys of the client with this index.
pub fn compile(index: usize, keys: Keys, has_faults: bool, faults: &mut Vec<Invalid>) -> MadeUp {
    let Keys {
        acr,
        auth_age,
        authorization_details,
    } = keys;
    let mut fault = |key: &str, problem| faults.push(Invalid::of_client(index, key, problem));

    for (key, is_there) in [
        ("acr", acr.is_some()),
        ("auth_age", auth_age.is_some()),
        ("authorization_details", authorization_details.is_some()),
    ] {
        if is_there && !has_faults {
            let problem = "tokens would say what nobody established: for tests, which start the server with --faults";
            fault(key, problem);
        }
    }
    if acr.as_ref().is_some_and(String::is_empty) {
        fault("acr", "expected a name");
    }
    let auth_age = auth_age.map(|HumanDuration(age)| age);
    if auth_age.is_some_and(|age| age.subsec_nanos() > 0) {
        fault("auth_age", "expected whole seconds");
    }
    let details = authorization_details.map(|details| {
        if details.is_empty() {
            fault("authorization_details", "expected at least one");
        }
        let details = details.into_iter().enumerate().map(|(detail, table)| {
            let key = format!("authorization_details[{detail}]");
            // RFC 9396 §2.1
            let name = table.get("type").and_then(toml::Value::as_str);
            if name.is_none_or(str::is_empty) {
                fault(&format!("{key}.type"), "expected a name");
            }
            object(table).unwrap_or_else(|| {
                fault(&key, "JSON has neither dates nor infinite numbers");
                Value::Null
            })
        });
        Value::Array(details.collect())
    });
    MadeUp {
        acr,
        auth_age,
        authorization_details: details,
    }
}

fn object(table: toml::Table) -> Option<Value> {
    let members = table
        .into_iter()
        .map(|(name, value)| Some((name, json(value)?)));
    Some(Value::Object(members.collect::<Option<Map<_, _>>>()?))
}

/// `None`: JSON has no such value.
fn json(value: toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => Value::Number(Number::from_f64(number)?),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(_) => return None,
        toml::Value::Array(values) => {
            Value::Array(values.into_iter().map(json).collect::<Option<_>>()?)
        }
        toml::Value::Table(table) => object(table)?,
    })
}
