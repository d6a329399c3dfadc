//! One declaration per part of a configuration: the struct, the documentation of its members, and
//! how it is read from JSON.

/// A struct that is read from a JSON object. Each field is the member of its name, or of the name
/// behind `=` where that is a word of Rust. What follows `bodies` are members that this module cannot
/// have, since it reads no bodies.
macro_rules! object {
    (
        $(#[$about:meta])*
        pub struct $name:ident $(<$v:lifetime>)? {
            $( $(#[$doc:meta])* pub $field:ident $(= $key:literal)? : $member:ty ),+ $(,)?
        }
        $( bodies: $bodies:expr; )?
    ) => {
        $(#[$about])*
        pub struct $name $(<$v>)? {
            $( $(#[$doc])* pub $field: $member ),+
        }

        impl<'v> $crate::config::reader::FromMembers<'v> for $name $(<$v>)? {
            fn from_members(
                members: &mut $crate::config::reader::ObjectReader<'_, 'v>,
            ) -> Self {
                $( members.refuse_bodies(&$bodies); )?
                $name { $( $field: members.member(key!($field $($key)?)) ),+ }
            }
        }
    };
}

/// An enum that is read from a JSON object with exactly one of these members.
macro_rules! one_of {
    (
        $(#[$about:meta])*
        pub enum $name:ident<'v> {
            $( $(#[$doc:meta])* $variant:ident = $key:literal : $value:ty ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        pub enum $name<'v> {
            $( $(#[$doc])* $variant($crate::config::reader::Located<$value>) ),+
        }

        impl<'v> $crate::config::reader::Choice<'v> for $name<'v> {
            const KEYS: &'static [&'static str] = &[$($key),+];

            fn from_member(
                key: &'static str,
                members: &mut $crate::config::reader::ObjectReader<'_, 'v>,
            ) -> Option<Self> {
                match key {
                    $( $key => members.required($key).map($name::$variant), )+
                    _ => None,
                }
            }
        }

        impl<'v> $crate::config::reader::FromValue<'v> for $name<'v> {
            fn from_value(
                value: &'v $crate::json::Value<'v>,
                at: $crate::config::fault::At,
                findings: &mut $crate::config::fault::Findings<'v>,
            ) -> Option<Self> {
                $crate::config::reader::ExactlyOne::from_value(value, at, findings)?.0
            }
        }
    };
}

/// An enum that is read from a word.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $( $(#[$doc:meta])* $variant:ident = $word:literal ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name {
            $( $(#[$doc])* $variant ),+
        }

        impl $name {
            /// As it is written in a configuration.
            pub const fn word(self) -> &'static str {
                match self {
                    $( $name::$variant => $word ),+
                }
            }
        }

        impl<'v> $crate::config::reader::FromValue<'v> for $name {
            fn from_value(
                value: &'v $crate::json::Value<'v>,
                at: $crate::config::fault::At,
                findings: &mut $crate::config::fault::Findings<'v>,
            ) -> Option<Self> {
                let words = [$( ($word, $name::$variant) ),+];
                $crate::config::scalar::meaning(&words, value, at, findings)
            }
        }
    };
}

/// The name of a member.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(super) use {key, object, one_of, words};
