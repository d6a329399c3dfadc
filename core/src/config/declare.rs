//! One declaration per part of a configuration: the struct, the documentation of its members, and
//! how it is read from JSON.

/// A struct that is read from a JSON object. Each field is the member of its name, or of the name
/// behind `=` where that is a word of Rust. Those in `bodies` are members of the module that reads
/// bodies; the other one refuses them.
macro_rules! object {
    (
        $(#[$about:meta])*
        pub struct $name:ident $(<$v:lifetime>)? {
            $( $(#[$doc:meta])* pub $field:ident $(= $key:literal)? : $member:ty ),+ $(,)?
        }
        $(
            bodies {
                $( $(#[$body_doc:meta])* pub $body_field:ident : $body_member:ty ),+ $(,)?
            }
        )?
    ) => {
        $(#[$about])*
        pub struct $name $(<$v>)? {
            $( $(#[$doc])* pub $field: $member, )+
            $($( #[cfg(feature = "ai")] $(#[$body_doc])* pub $body_field: $body_member, )+)?
        }

        impl<'v> $crate::config::reader::FromMembers<'v> for $name $(<$v>)? {
            fn from_members(
                members: &mut $crate::config::reader::ObjectReader<'_, 'v>,
            ) -> Self {
                $(
                    #[cfg(not(feature = "ai"))]
                    members.refuse_bodies(&[$(stringify!($body_field)),+]);
                )?
                $name {
                    $( $field: members.member(key!($field $($key)?)), )+
                    $($(
                        #[cfg(feature = "ai")]
                        $body_field: members.member(stringify!($body_field)),
                    )+)?
                }
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

/// An enum that is read from a word. Those in `bodies` are words of the module that reads bodies; the
/// other one refuses them.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $( $(#[$doc:meta])* $variant:ident = $word:literal ),* $(,)?
        }
        $(
            bodies {
                $( $(#[$body_doc:meta])* $body_variant:ident = $body_word:literal ),+ $(,)?
            }
        )?
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $( $(#[$doc])* $variant, )*
            $($( #[cfg(feature = "ai")] $(#[$body_doc])* $body_variant, )+)?
        }

        impl $name {
            /// As it is written in a configuration.
            pub const fn word(self) -> &'static str {
                match self {
                    $( $name::$variant => $word, )*
                    $($( #[cfg(feature = "ai")] $name::$body_variant => $body_word, )+)?
                }
            }
        }

        impl<'v> $crate::config::reader::FromValue<'v> for $name {
            fn from_value(
                value: &'v $crate::json::Value<'v>,
                at: $crate::config::fault::At,
                findings: &mut $crate::config::fault::Findings<'v>,
            ) -> Option<Self> {
                let words = [
                    $( ($word, $name::$variant), )*
                    $($( #[cfg(feature = "ai")] ($body_word, $name::$body_variant), )+)?
                ];
                let refused: &[&'static str] = &[
                    $($( #[cfg(not(feature = "ai"))] $body_word, )+)?
                ];
                $crate::config::scalar::meaning(&words, refused, value, at, findings)
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
