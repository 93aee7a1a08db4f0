//! How the constants of a part are written down.

/// Declares the durations a part is tuned by: one line each, with its default and the reason for it.
macro_rules! durations {
    ($part:literal, $( $(#[doc = $doc:literal])* $name:ident: $milliseconds:literal ms, )+) => {
        /// The durations of this part; defaults beside their reasons.
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::engine) struct Tuning {
            $( $(#[doc = $doc])* pub(in crate::engine) $name: std::time::Duration, )+
        }

        impl Default for Tuning {
            fn default() -> Self {
                Self { $( $name: std::time::Duration::from_millis($milliseconds), )+ }
            }
        }

        impl Tuning {
            /// Every duration, with its path.
            pub(in crate::engine) fn durations(&mut self) -> impl Iterator<Item = (&'static str, &mut std::time::Duration)> {
                [ $( (concat!($part, ".", stringify!($name)), &mut self.$name), )+ ].into_iter()
            }

            /// The reason for each, in the same order.
            #[cfg(test)]
            pub(in crate::engine) fn reasons() -> impl Iterator<Item = &'static str> {
                [ $( concat!($($doc),*), )+ ].into_iter()
            }
        }
    };
}
pub(super) use durations;
