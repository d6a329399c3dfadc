use super::Compiler;
use crate::config::fault::{At, Findings};
use crate::config::reader::{FromValue, ListOf};
use crate::json::Value;

/// Reads nothing but `true`, and forgets to record a fault.
struct OnlyTrue;

impl<'v> FromValue<'v> for OnlyTrue {
    fn from_value(value: &'v Value<'v>, _: At, _: &mut Findings<'v>) -> Option<Self> {
        value.as_bool()?.then_some(OnlyTrue)
    }
}

/// A rule that is dropped silently would leave the requests that it denies to the next one.
#[test]
fn an_element_that_cannot_be_read_is_never_dropped() {
    let environment = |_: &str| None;
    for (elements, expected) in [
        (vec![true, true], Some(2)),
        (vec![], Some(0)),
        (vec![true, false, true], None),
        (vec![false], None),
    ] {
        let mut compiler = Compiler::new("configuration", &environment);
        let value = Value::Array(elements.iter().map(|b| Value::Bool(*b)).collect());
        let list = ListOf::<OnlyTrue>::from_value(&value, At::DOCUMENT, &mut compiler.findings);
        let compiled = compiler.each(list.unwrap(), |_, _| Some(()));
        assert_eq!(compiled.map(|all| all.len()), expected, "{elements:?}");
    }
}
