//! What a file promises: its columns and how many rows.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use trackside_rows::{field, number::Number};
use trackside_sdk::StepError;

/// The most columns a contract may name.
const MAX_COLUMNS: usize = 4_096;

/// A data contract.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The columns in their order.
    #[serde(default, deserialize_with = "columns")]
    pub columns: Vec<Column>,
    /// What to do with columns that the contract does not name.
    #[serde(default)]
    pub extra_columns: ExtraColumns,
    /// How many rows there must be.
    #[serde(default)]
    pub rows: RowCount,
}

/// Columns beyond the contract.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtraColumns {
    /// They are passed on, their types inferred.
    #[default]
    Allow,
    /// They are left out.
    Drop,
    /// They make the file bad.
    Refuse,
}

/// Bounds of the number of rows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCount {
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
}

/// One column.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the header; in a contract that is a mapping it is the key.
    #[serde(default)]
    pub name: String,
    /// What its values are; inferred when left out.
    #[serde(default, rename = "type")]
    pub kind: Option<Kind>,
    /// The column must be there; no value may be missing, unless `max_null_fraction` says how many.
    #[serde(default)]
    pub required: bool,
    /// Smallest number.
    pub min: Option<serde_json::Number>,
    /// Largest number.
    pub max: Option<serde_json::Number>,
    /// The only values allowed.
    #[serde(default, rename = "enum")]
    pub choices: Vec<serde_json::Value>,
    /// No value twice.
    #[serde(default)]
    pub unique: bool,
    /// Every value is larger than the one before.
    #[serde(default)]
    pub increasing: bool,
    /// The largest share of missing values, 0 to 1.
    pub max_null_fraction: Option<f64>,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any finite number.
    Number,
    /// A whole number.
    Integer,
    /// Any text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A date, or a date and time.
    Timestamp,
}

impl Column {
    /// The share of its values that may be missing.
    pub fn may_miss(&self) -> f64 {
        field::may_miss(self.required, self.max_null_fraction)
    }
}

impl Kind {
    /// As the reader of fields knows it.
    pub const fn of_field(self) -> field::Kind {
        match self {
            Self::Number => field::Kind::Number,
            Self::Integer => field::Kind::Integer,
            Self::String => field::Kind::String,
            Self::Boolean => field::Kind::Boolean,
            Self::Timestamp => field::Kind::Timestamp,
        }
    }

    /// Its name in contracts and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
        }
    }
}

impl Contract {
    /// Finds contradictions.
    ///
    /// # Errors
    /// `bad-contract`, naming the column.
    pub fn check(&self) -> Result<(), StepError> {
        let bad = |what: String| Err(StepError::fatal("bad-contract", what));
        if self.columns.len() > MAX_COLUMNS {
            return bad(format!("the contract names {} columns; {MAX_COLUMNS} are enough", self.columns.len()));
        }
        let mut names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return bad(format!("the contract names column `{}` twice", twice[0]));
        }
        for column in &self.columns {
            let name = &column.name;
            if name.is_empty() {
                return bad("a column of the contract has no name".into());
            }
            let numeric = matches!(column.kind, Some(Kind::Number | Kind::Integer));
            if !numeric && (column.min.is_some() || column.max.is_some()) {
                return bad(format!("column `{name}`: min and max need the type number or integer"));
            }
            if column.increasing && !numeric && column.kind != Some(Kind::Timestamp) {
                return bad(format!("column `{name}`: increasing needs the type number, integer or timestamp"));
            }
            if let (Some(min), Some(max)) = (&column.min, &column.max)
                && let (Some(low), Some(high)) = (Number::of(min), Number::of(max))
                && low.compare(high).is_gt()
            {
                return bad(format!("column `{name}`: min {min} is above max {max}"));
            }
            if column.max_null_fraction.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return bad(format!("column `{name}`: max_null_fraction is a share from 0 to 1"));
            }
        }
        if let (Some(min), Some(max)) = (self.rows.min, self.rows.max)
            && min > max
        {
            return bad(format!("rows: min {min} is above max {max}"));
        }
        Ok(())
    }
}

/// Columns as a list, or as a mapping of name to column; the order of the text is kept.
fn columns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Column>, D::Error> {
    struct Columns;

    impl<'de> Visitor<'de> for Columns {
        type Value = Vec<Column>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of columns, or a mapping of column name to column")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut columns = Vec::new();
            while let Some(column) = items.next_element()? {
                columns.push(column);
            }
            Ok(columns)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut columns = Vec::new();
            while let Some((name, column)) = entries.next_entry::<String, Column>()? {
                columns.push(Column { name, ..column });
            }
            Ok(columns)
        }
    }

    deserializer.deserialize_any(Columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_keeps_the_order_of_its_text() {
        let contract: Contract = serde_json::from_str(r#"{"columns": {"z": {"type": "number"}, "a": {}}}"#).unwrap();
        let names: Vec<_> = contract.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["z", "a"]);
    }

    #[test]
    fn contradictions_are_named() {
        for (text, part) in [
            (r#"{"columns": [{"name": "a"}, {"name": "a"}]}"#, "`a` twice"),
            (r#"{"columns": [{}]}"#, "no name"),
            (r#"{"columns": [{"name": "a", "type": "string", "min": 1}]}"#, "min and max"),
            (r#"{"columns": [{"name": "a", "type": "number", "min": 2, "max": 1}]}"#, "above max"),
            (r#"{"columns": [{"name": "a", "max_null_fraction": 2}]}"#, "share"),
            (r#"{"rows": {"min": 2, "max": 1}}"#, "rows"),
        ] {
            let contract: Contract = serde_json::from_str(text).unwrap();
            let error = contract.check().unwrap_err();
            assert_eq!(error.code(), "bad-contract");
            assert!(error.message().contains(part), "{error}");
        }
    }
}
