//! What is read from a certificate beside its key: when it is valid, whose it is, who issued it.
//!
//! The TLS library checks certificates of others and tells none of this about one's own. A
//! certificate is DER, nested values of a tag, a length and contents (X.690, RFC 5280 section 4.1),
//! of which only the first fields are read here.

use time::{Date, Month};

/// Tags of DER.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version of a certificate, absent in the oldest.
const VERSION: u8 = 0xa0;

/// Dates of two digits are of the years 1950 to 2049.
const CENTURY_TURN: i32 = 50;

/// The fields of a certificate that operators are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    /// The name of the issuer, as it is encoded.
    pub(super) issuer: &'a [u8],
    /// The name of the certificate itself, as it is encoded.
    pub(super) subject: &'a [u8],
    /// The first second in which it is valid, since 1970.
    pub(super) not_before_s: i64,
    /// The last one.
    pub(super) not_after_s: i64,
}

impl<'a> Fields<'a> {
    /// The fields of a certificate; `None` if it is none.
    pub(super) fn of(certificate: &'a [u8]) -> Option<Self> {
        let mut signed = Der(Der(certificate).take(SEQUENCE)?.contents);
        let mut fields = Der(signed.take(SEQUENCE)?.contents);
        // The version is left out in certificates of version 1.
        if fields.0.first() == Some(&VERSION) {
            fields.take(VERSION)?;
        }
        fields.take(INTEGER)?; // serial number
        fields.take(SEQUENCE)?; // algorithm of the signature
        let issuer = fields.take(SEQUENCE)?.whole;
        let mut validity = Der(fields.take(SEQUENCE)?.contents);
        Some(Self {
            issuer,
            subject: fields.take(SEQUENCE)?.whole,
            not_before_s: validity.time()?,
            not_after_s: validity.time()?,
        })
    }
}

/// Values of DER, one behind the other.
struct Der<'a>(&'a [u8]);

/// A value of DER.
struct Value<'a> {
    contents: &'a [u8],
    /// With tag and length.
    whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// Takes the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        let (found, value) = self.next()?;
        (found == tag).then_some(value)
    }

    fn next(&mut self) -> Option<(u8, Value<'a>)> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // A length from 128 on is in as many bytes behind it as its lower bits say.
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if bytes.len() > 4 {
                return None;
            }
            let length = bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (length, rest)
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some((tag, Value { contents, whole }))
    }

    /// Takes the next value, a time to the second in UTC, as RFC 5280 demands it.
    fn time(&mut self) -> Option<i64> {
        let (tag, value) = self.next()?;
        let digits = std::str::from_utf8(value.contents)
            .ok()?
            .strip_suffix('Z')?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                let (year, rest) = digits.split_at(2);
                let year: i32 = year.parse().ok()?;
                let century = if year < CENTURY_TURN { 2_000 } else { 1_900 };
                (century + year, rest)
            }
            (GENERALIZED_TIME, 14) => {
                let (year, rest) = digits.split_at(4);
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest[at..at + 2].parse::<u8>().ok();
        let month = Month::try_from(part(0)?).ok()?;
        let date = Date::from_calendar_date(year, month, part(2)?).ok()?;
        let minute = date.with_hms(part(4)?, part(6)?, 0).ok()?;
        // A leap second, 60, is the first second of the next minute.
        let second = part(8).filter(|second| *second <= 60)?;
        Some(minute.assume_utc().unix_timestamp() + i64::from(second))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    use streamgate_testkit::Certificates;

    use super::*;

    /// What `openssl` says about a certificate, in seconds since 1970.
    fn told_by_openssl(certificates: &Certificates, what: &str) -> i64 {
        let output = Command::new("openssl")
            .args(["x509", "-noout", what, "-dateopt", "iso_8601", "-in"])
            .arg(certificates.path("server.pem"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, date) = text.trim().split_once('=').unwrap();
        let output = Command::new("date").args(["-ud", date, "+%s"]).output();
        let seconds = String::from_utf8(output.unwrap().stdout).unwrap();
        seconds.trim().parse().unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn dates_and_names_are_those_that_openssl_reads() {
        let certificates = Certificates::make();
        let [server, ca] = ["server.pem", "ca.pem"]
            .map(|name| CertificateDer::from_pem_slice(&certificates.read(name)).unwrap());
        let fields = Fields::of(&server).unwrap();
        assert_eq!(
            fields.not_before_s,
            told_by_openssl(&certificates, "-startdate")
        );
        assert_eq!(
            fields.not_after_s,
            told_by_openssl(&certificates, "-enddate")
        );
        let issuer = Fields::of(&ca).unwrap();
        assert_eq!(fields.issuer, issuer.subject);
        assert_eq!(issuer.issuer, issuer.subject);
        assert_ne!(fields.subject, issuer.subject);
    }

    #[test]
    fn what_is_cut_off_anywhere_is_no_certificate_and_no_panic() {
        let certificates = Certificates::make();
        let server = CertificateDer::from_pem_slice(&certificates.read("server.pem")).unwrap();
        for end in 0..server.len() {
            assert_eq!(Fields::of(&server[..end]), None, "{end}");
        }
        for at in 0..server.len() {
            let mut damaged = server.to_vec();
            damaged[at] ^= 0xff;
            let _ = Fields::of(&damaged);
        }
    }

    /// The time of this encoding.
    fn time(tag: u8, text: &str) -> Option<i64> {
        let length = u8::try_from(text.len()).unwrap();
        let bytes = [&[tag, length], text.as_bytes()].concat();
        Der(&bytes).time()
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let mut expected = 0;
        for year in 1970..2400 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if is_leap { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(lengths) {
                for day in 1..=length {
                    let text = format!("{year}{month:02}{day:02}000000Z");
                    assert_eq!(time(GENERALIZED_TIME, &text), Some(expected), "{text}");
                    expected += 24 * 60 * 60;
                }
                let text = format!("{year}{month:02}{:02}000000Z", length + 1);
                assert_eq!(time(GENERALIZED_TIME, &text), None, "{text}");
            }
        }
    }

    #[test]
    fn times_have_years_of_two_and_of_four_digits() {
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(
            time(GENERALIZED_TIME, "20500101000000Z"),
            Some(2_524_608_000)
        );
        assert_eq!(
            time(GENERALIZED_TIME, "99991231235959Z"),
            Some(253_402_300_799)
        );
        for text in ["", "Z", "7001010000Z", "700101000000", "70010100000éZ"] {
            assert_eq!(time(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(time(UTC_TIME, "701301000000Z"), None);
        assert_eq!(time(UTC_TIME, "700132000000Z"), None);
        assert_eq!(time(UTC_TIME, "700101000060Z"), Some(60), "a leap second");
        assert_eq!(time(UTC_TIME, "700101000061Z"), None);
        assert_eq!(time(UTC_TIME, "700101240000Z"), None);
    }
}
