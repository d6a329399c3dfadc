//! A configuration that Envoy hands over as the bytes of a `google.protobuf.Struct`.
//!
//! Envoy unwraps a `StringValue` and passes any other message as it is on the wire, so a plugin
//! configuration that was written as a `Struct` arrives as one (`google/protobuf/struct.proto`).

use std::borrow::Cow;

use crate::json::{Number, Object, Value};
use crate::limits::JSON_DEPTH;

/// `None` where the bytes are not a `Struct`, or one that JSON could not say.
pub fn decode(message: &[u8]) -> Option<Value<'_>> {
    object(message, 0).map(Value::Object)
}

/// `message Struct { map<string, Value> fields = 1; }`
fn object(message: &[u8], depth: usize) -> Option<Object<'_>> {
    let depth = depth.checked_add(1).filter(|depth| *depth <= JSON_DEPTH)?;
    let members = WireFields(message).map(|field| match field? {
        WireField::Bytes(1, entry) => member(entry, depth),
        _ => None,
    });
    Object::from_members(members.collect::<Option<_>>()?)
}

/// An entry of the map: `key = 1`, `value = 2`.
fn member(entry: &[u8], depth: usize) -> Option<(Cow<'_, str>, Value<'_>)> {
    let (mut name, mut member) = ("", None);
    for field in WireFields(entry) {
        match field? {
            WireField::Bytes(1, bytes) => name = std::str::from_utf8(bytes).ok()?,
            WireField::Bytes(2, bytes) => member = Some(value(bytes, depth)?),
            _ => return None,
        }
    }
    Some((Cow::Borrowed(name), member?))
}

/// `message Value`: exactly one of null 1, number 2, string 3, bool 4, struct 5, list 6.
fn value(message: &[u8], depth: usize) -> Option<Value<'_>> {
    let mut fields = WireFields(message);
    let value = match fields.next()?? {
        WireField::Varint(1, 0) => Value::Null,
        WireField::Double(2, number) => Value::Number(json_number(number)?),
        WireField::Bytes(3, bytes) => Value::String(std::str::from_utf8(bytes).ok()?.into()),
        WireField::Varint(4, bit @ (0 | 1)) => Value::Bool(bit == 1),
        WireField::Bytes(5, bytes) => Value::Object(object(bytes, depth)?),
        WireField::Bytes(6, bytes) => Value::Array(list(bytes, depth)?),
        _ => return None,
    };
    fields.next().is_none().then_some(value)
}

/// A `Struct` knows doubles only; whole ones are the integers that the operator wrote.
fn json_number(number: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    match number.fract() == 0.0 && number.abs() <= EXACT {
        true => Some(Number::from(number as i64)),
        false => Number::from_f64(number),
    }
}

/// `message ListValue { repeated Value values = 1; }`
fn list(message: &[u8], depth: usize) -> Option<Vec<Value<'_>>> {
    let depth = depth.checked_add(1).filter(|depth| *depth <= JSON_DEPTH)?;
    WireFields(message)
        .map(|field| match field? {
            WireField::Bytes(1, bytes) => value(bytes, depth),
            _ => None,
        })
        .collect()
}

/// A field with its number, of the three wire types that a `Struct` is made of.
enum WireField<'a> {
    Varint(u64, u64),
    Double(u64, f64),
    Bytes(u64, &'a [u8]),
}

/// The fields of a message; `None` for what cannot be one, and then no more.
struct WireFields<'a>(&'a [u8]);

impl<'a> Iterator for WireFields<'a> {
    type Item = Option<WireField<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> WireFields<'a> {
    fn field(&mut self) -> Option<WireField<'a>> {
        let tag = self.varint()?;
        let number = tag >> 3;
        match tag & 7 {
            0 => Some(WireField::Varint(number, self.varint()?)),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk::<8>()?;
                self.0 = rest;
                Some(WireField::Double(number, f64::from_le_bytes(*bytes)))
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Some(WireField::Bytes(number, bytes))
            }
            _ => None,
        }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            number |= bits.checked_shl(shift).filter(|n| n >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        assert!(length < 0x80);
        [&[number << 3 | 2, length], bytes].concat()
    }

    fn entry(name: &str, value: &[u8]) -> Vec<u8> {
        field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
    }

    fn number(n: f64) -> Vec<u8> {
        [&[0x11], &n.to_le_bytes()[..]].concat()
    }

    #[test]
    fn a_struct_reads_as_its_json() {
        let list = [field(1, &field(3, b"x")), field(1, &number(1.5))].concat();
        let message = [
            entry("realm", &field(3, b"edge")),
            entry("open", &[0x20, 1]),
            entry("n", &number(16384.0)),
            entry("none", &[0x08, 0]),
            entry("list", &field(6, &list)),
            entry("inner", &field(5, &entry("a", &field(3, b"b")))),
        ]
        .concat();
        assert_eq!(
            decode(&message).unwrap().to_string(),
            r#"{"realm":"edge","open":true,"n":16384,"none":null,"list":["x",1.5],"inner":{"a":"b"}}"#
        );
        assert_eq!(decode(b"").unwrap().to_string(), "{}");
    }

    #[test]
    fn what_is_no_struct_is_refused() {
        let twice = [entry("a", &[0x20, 1]), entry("a", &[0x20, 0])].concat();
        let cases: &[&[u8]] = &[
            b"{\"realm\": ",
            b"\n\x05ab",
            b"\n",
            &twice,
            &entry("a", b""),
            &entry("a", &[0x20, 2]),
            &entry("a", &field(3, b"\xff")),
            &entry("a", &number(f64::NAN)),
            &entry("a", &[0x20, 1, 0x20, 0]),
            &field(2, b"x"),
            &[0x80; 20],
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
        ];
        for case in cases {
            assert_eq!(decode(case), None, "{case:x?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| {
            (0..depth).fold(b"".to_vec(), |inner: Vec<u8>, _| {
                let value = [&[0x32][..], &length(inner.len()), &inner].concat();
                [&[0x0a][..], &length(value.len()), &value].concat()
            })
        };
        let message = |depth| {
            let list = nested(depth);
            let value = [&[0x32][..], &length(list.len()), &list].concat();
            let member = [&[0x0a, 1, b'a', 0x12][..], &length(value.len()), &value].concat();
            [&[0x0a][..], &length(member.len()), &member].concat()
        };
        assert!(decode(&message(100)).is_some());
        assert!(decode(&message(1000)).is_none());
    }

    fn length(n: usize) -> Vec<u8> {
        let mut n = n;
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push(u8::try_from(n & 0x7f).unwrap() | 0x80);
            n >>= 7;
        }
        bytes.push(u8::try_from(n).unwrap());
        bytes
    }
}
