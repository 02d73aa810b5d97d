//! What tells later whether a table was written to since it was compared.

use std::collections::BTreeMap;

use azure2neon_postgres::digest::{self, Activity, Surveyed};
use azure2neon_postgres::{QualifiedName, Session};
use serde::{Deserialize, Serialize};

use super::{Comparison, Verdict};
use crate::error::Result;

/// What both servers had counted of a table before its first row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The source.
    pub source: Activity,
    /// The target.
    pub target: Activity,
}

/// Since when both servers count; none where counts may get lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// The source.
    pub source: Option<String>,
    /// The target.
    pub target: Option<String>,
}

/// What has to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The tables.
    pub tables: Vec<QualifiedName>,
    /// Their heap and TOAST, in bytes.
    pub bytes: i64,
    /// How many need not be.
    pub unchanged: usize,
}

/// Which tables of an earlier comparison have to be read again. Counters of sessions that are still open may be some seconds late: the
/// source's sessions have to be ended before. Somebody else who is connected to the target may have written what is not counted yet, so
/// everything is read again then.
pub async fn changed_since(earlier: &Comparison, source: &Session, target: &Session) -> Result<Changed> {
    let names: Vec<&QualifiedName> = earlier.tables.iter().map(|table| &table.table).collect();
    let left = async { tokio::try_join!(digest::survey(source, &names), digest::statistics_token(source)) };
    let right = async { tokio::try_join!(digest::survey(target, &names), digest::statistics_token(target), digest::strangers(target)) };
    let ((left, left_token), (right, right_token, strangers)) = tokio::try_join!(left, right)?;
    let is_counted = left_token.is_some()
        && right_token.is_some()
        && strangers == 0
        && earlier.tokens == (Tokens { source: left_token, target: right_token });
    Ok(changed(earlier, is_counted, &left, &right))
}

type Side = BTreeMap<QualifiedName, Surveyed>;

fn changed(earlier: &Comparison, is_counted: bool, source: &Side, target: &Side) -> Changed {
    let mut changed = Changed::default();
    for table in &earlier.tables {
        let now = source.get(&table.table).zip(target.get(&table.table));
        let now = now.map(|(source, target)| Evidence { source: source.activity, target: target.activity });
        if is_counted && table.verdict == Verdict::Equal && table.evidence.is_some() && now == table.evidence {
            changed.unchanged += 1;
        } else {
            changed.bytes += source.get(&table.table).map_or(table.bytes, |surveyed| surveyed.bytes);
            changed.tables.push(table.table.clone());
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::TableVerdict;

    #[test]
    fn only_what_is_counted_and_the_same_need_not_be_read_again() {
        let name = |n: &str| QualifiedName::new("public", n);
        let counted = |writes, file| Activity { writes, file };
        let verdict = |n: &str, verdict, evidence| TableVerdict { bytes: 7, evidence, ..TableVerdict::of_table(name(n), verdict, None) };
        let same = Some(Evidence { source: counted(5, 1), target: counted(3, 2) });
        let earlier = Comparison {
            tables: vec![
                verdict("same", Verdict::Equal, same),
                verdict("written", Verdict::Equal, Some(Evidence { source: counted(4, 1), target: counted(3, 2) })),
                verdict("emptied", Verdict::Equal, Some(Evidence { source: counted(5, 9), target: counted(3, 2) })),
                verdict("on_target", Verdict::Equal, Some(Evidence { source: counted(5, 1), target: counted(2, 2) })),
                verdict("changing", Verdict::Changing, same),
                verdict("unknown", Verdict::Equal, None),
                verdict("gone", Verdict::Equal, same),
            ],
            ..Comparison::default()
        };
        let side = |activity| -> Side {
            let surveyed = Surveyed { bytes: 100, blocks: 1, estimated_rows: 1.0, activity, keys: Vec::new() };
            earlier.tables.iter().filter(|table| table.table.name != "gone").map(|table| (table.table.clone(), surveyed.clone())).collect()
        };
        let (source, target) = (side(counted(5, 1)), side(counted(3, 2)));
        let found = changed(&earlier, true, &source, &target);
        assert_eq!(
            found.tables.iter().map(|table| &*table.name).collect::<Vec<_>>(),
            ["written", "emptied", "on_target", "changing", "unknown", "gone"]
        );
        assert_eq!((found.bytes, found.unchanged), (507, 1));
        assert_eq!(changed(&earlier, false, &source, &target).unchanged, 0);
    }
}
