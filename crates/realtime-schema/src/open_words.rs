//! Open enums: words on the wire to which a later release may add.

/// Declares an enum of known words that keeps an unknown word unchanged.
///
/// Two values are equal when their words are. The JSON Schema is a plain string with the known words as examples: a
/// closed list would make generated clients refuse a word that is added later.
macro_rules! open_words {
    (
        $(#[doc = $doc:literal])*
        $name:ident: $($(#[doc = $word_doc:literal])* $variant:ident = $word:literal;)*
    ) => {
        $(#[doc = $doc])*
        ///
        /// An open list: a word that this release does not know is kept in `Other` and written back unchanged. Values
        /// are compared by their words.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[doc = $word_doc])* $variant,)*
            /// A word that this release does not know.
            Other(String),
        }

        impl $name {
            /// Every known word, in the order documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// The meaning of the word, for a person; empty for an unknown word.
            pub fn meaning(&self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($word_doc),*).trim_ascii(),)*
                    Self::Other(_) => "",
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::from(&*word))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let words: Vec<_> = Self::ALL.iter().map(|word| (word.as_str(), word.meaning())).collect();
                $crate::open_words::schema(concat!($($doc),*).trim_ascii(), &words)
            }
        }
    };
}
pub(crate) use open_words;

/// The JSON Schema of an open list of words, each with its meaning.
pub(crate) fn schema(about: &str, words: &[(&str, &str)]) -> schemars::Schema {
    let known: Vec<_> = words.iter().map(|(word, meaning)| format!("`{word}`: {meaning}")).collect();
    let description = format!("{about} Others may be added; accept them. Known: {}", known.join(" "));
    let examples: Vec<_> = words.iter().map(|(word, _)| word).collect();
    schemars::json_schema!({"type": "string", "description": description, "examples": examples})
}
