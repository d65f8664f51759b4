//! Numbers formatted for people.

/// A count as a number with a fraction: exact below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "no count of a run is that large"
)]
#[must_use]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A count with separators of thousands.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate; without a fraction from 100 on.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        return format!("{per_second:.1}");
    }
    let whole = format!("{per_second:.0}");
    whole.parse().map_or(whole, count)
}

/// Milliseconds, to three significant digits.
#[must_use]
pub fn ms(ms: f64) -> String {
    let digits = match ms {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{ms:.digits$} ms")
}

/// Microseconds.
#[must_use]
pub fn us(us: f64) -> String {
    format!("{us:.1} µs")
}

/// Memory.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", count(bytes / 1_048_576))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123_456), "123,456");
        assert_eq!(
            (rate(0.5).as_str(), rate(61_230.4).as_str()),
            ("0.5", "61,230")
        );
        assert_eq!(
            [ms(0.052), ms(1.234), ms(12.34), ms(123.4)],
            ["0.052 ms", "1.23 ms", "12.3 ms", "123 ms"]
        );
    }
}
