//! The table of a kind of rows' properties.

/// Makes an enum of properties: variant, Exchange's name, plain name, kind.
macro_rules! properties {
    (
        $(#[$about:meta])* $name:ident of $rows:literal;
        $($(#[$doc:meta])* $variant:ident = $exchange:literal, $plain:literal, $kind:expr;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $crate::query::Property for $name {
            const ROWS: &'static str = $rows;
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $exchange,)*
                }
            }

            fn plain_name(self) -> &'static str {
                match self {
                    $(Self::$variant => $plain,)*
                }
            }

            fn kind(self) -> $crate::query::Kind {
                match self {
                    $(Self::$variant => $kind,)*
                }
            }
        }
    };
}

pub(super) use properties;
