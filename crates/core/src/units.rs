//! Figures as people read them.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    #[test]
    fn figures_are_readable() {
        assert_eq!(super::bytes(1023), "1023 B");
        assert_eq!(super::bytes(18_140_365), "17.3 MiB");
        assert_eq!(super::milliseconds(999), "999 ms");
        assert_eq!(super::milliseconds(3_400), "3.4 s");
        assert_eq!(super::milliseconds(125_900), "2 min 5 s");
    }
}
