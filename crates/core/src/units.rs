//! Figures as people read them.

use std::time::Duration;

/// So many of something, in words: `1 table`, `3 tables`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The first of these names, and how many more there are.
pub fn listed(names: &[String], most: usize) -> String {
    let few: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    let more = if names.len() > few.len() { format!(" and {} more", names.len() - few.len()) } else { String::new() };
    format!("{}{more}", few.join(", "))
}

/// Bytes with a binary unit: `17.3 MiB`.
pub fn bytes(bytes: i64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value.abs() < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// Milliseconds as `12 ms`, `3.4 s` or `2 min 5 s`.
pub fn milliseconds(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{:.1} s", milliseconds as f64 / 1e3),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// A round trip in milliseconds: `0.4 ms`.
pub fn round_trip(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// A time that is known to lie between two: `15 to 20 s`, `about 4 min`, `2 to 3 h`.
pub fn between(least: Duration, most: Duration) -> String {
    let seconds = most.as_secs();
    let (step, unit, name) = match seconds {
        0..=90 => (5, 1, "s"),
        91..=5_400 => (60, 60, "min"),
        _ => (3_600, 3_600, "h"),
    };
    let (low, high) = (least.as_secs() / step * step / unit, seconds.div_ceil(step) * step / unit);
    match low {
        0 => format!("at most {high} {name}"),
        // What lies within a tenth is no range.
        _ if (high - low) * 10 <= high || high - low <= step / unit => format!("about {high} {name}"),
        _ => format!("{low} to {high} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn figures_are_readable() {
        assert_eq!(super::bytes(1023), "1023 B");
        assert_eq!(super::bytes(18_140_365), "17.3 MiB");
        assert_eq!(super::milliseconds(999), "999 ms");
        assert_eq!(super::milliseconds(3_400), "3.4 s");
        assert_eq!(super::milliseconds(125_900), "2 min 5 s");
    }

    #[test]
    fn a_range_is_as_precise_as_it_can_be() {
        let between = |least, most| super::between(Duration::from_secs(least), Duration::from_secs(most));
        assert_eq!(between(0, 3), "at most 5 s");
        assert_eq!(between(16, 29), "15 to 30 s");
        assert_eq!(between(41, 42), "about 45 s");
        assert_eq!(between(200, 219), "about 4 min");
        assert_eq!(between(130, 300), "2 to 5 min");
        assert_eq!(between(7_300, 20_000), "2 to 6 h");
        assert_eq!(between(200_000, 201_000), "about 56 h");
    }
}
