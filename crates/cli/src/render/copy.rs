//! How the progress of a copy looks.

use std::time::Duration;

use azure2neon_core::event::{CopyProgress, TableUnderWay};
use azure2neon_core::units;

/// Lines are no wider than this.
pub const WIDTH: usize = 80;

/// The whole copy: `412.3 MiB of 1.2 GiB, 35 of 68 tables, 48.1 MiB/s, 15 to 20 s left`.
pub fn whole(copy: &CopyProgress) -> String {
    let bytes = |bytes: u64| units::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
    let mut text = format!("{} of {}, {} of {} tables", bytes(copy.bytes), bytes(copy.of_bytes), copy.tables, copy.of_tables);
    if copy.tables == copy.of_tables {
        text.push_str(", all rows are in");
        return text;
    }
    if let Some(rate) = copy.bytes_per_second {
        text.push_str(&format!(", {}/s", bytes(rate)));
    }
    if let Some((least, most)) = copy.seconds_left {
        text.push_str(&format!(", {} left", units::between(Duration::from_secs(least), Duration::from_secs(most))));
    }
    text
}

/// The largest tables under way, as many as fit: `public.orders 43 % (3 of 8 parts), public.items: indexes`.
pub fn tables(copy: &CopyProgress, width: usize) -> String {
    let mut text = String::new();
    for table in &copy.under_way {
        let separator = if text.is_empty() { "" } else { ", " };
        let state = state(table);
        let room = width.saturating_sub(text.chars().count() + separator.len() + state.chars().count());
        let name = printable(&table.table);
        // A name that does not fit is cut only where it is the first: else nothing could be said at all.
        let name = if name.chars().count() <= room {
            name
        } else if text.is_empty() {
            name.chars().take(room.saturating_sub(1)).chain(['…']).collect()
        } else {
            break;
        };
        text = format!("{text}{separator}{name}{state}");
    }
    text
}

fn state(table: &TableUnderWay) -> String {
    if table.indexing {
        return ": indexes".to_owned();
    }
    let parts = if table.of_parts > 1 { format!(" ({} of {} parts)", table.parts, table.of_parts) } else { String::new() };
    format!(" {} %{parts}", table.percent)
}

/// Names come from the source; none may steer the terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, percent: u8, parts: (usize, usize)) -> TableUnderWay {
        let (parts, of_parts) = parts;
        TableUnderWay { table: name.into(), indexing: percent == 100, percent, parts, of_parts, bytes: 0, rows: 0 }
    }

    fn copy(under_way: Vec<TableUnderWay>) -> CopyProgress {
        CopyProgress {
            step: "stream-data".into(),
            tables: 3_500,
            of_tables: 5_000,
            bytes: 1_099_511_627_775,
            of_bytes: 10_995_116_277_760,
            rows: 0,
            bytes_per_second: Some(107_374_182),
            seconds_left: Some((5_000, 6_000)),
            under_way,
        }
    }

    #[test]
    fn the_line_fits_with_large_figures() {
        let text = format!("    {}", whole(&copy(Vec::new())));
        assert_eq!(text, "    1024.0 GiB of 10.0 TiB, 3500 of 5000 tables, 102.4 MiB/s, about 2 h left");
        assert!(text.chars().count() <= WIDTH);
    }

    #[test]
    fn as_many_tables_are_named_as_fit_and_none_steers_the_terminal() {
        let short = [table("public.orders", 43, (3, 8)), table("public.items", 100, (1, 1)), table("public.a\u{1b}[2J", 7, (0, 1))];
        assert_eq!(tables(&copy(short.to_vec()), 80), "public.orders 43 % (3 of 8 parts), public.items: indexes, public.a?[2J 7 %");
        assert_eq!(tables(&copy(short.to_vec()), 60), "public.orders 43 % (3 of 8 parts), public.items: indexes");
        let long = "x".repeat(200);
        assert_eq!(tables(&copy(vec![table(&long, 5, (0, 1)), table("b", 5, (0, 1))]), 20), format!("{}… 5 %", "x".repeat(15)));
        assert_eq!(tables(&copy(Vec::new()), 80), "");
    }
}
