//! Dates as header fields have them. The only place that knows jiff.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// [RFC 5321 §4.4-l, §F.5-a] years have four digits.
///
/// `date-time` of RFC 5322 §3.3, in UTC. What no calendar of four digits holds becomes 1970.
pub fn date_time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    rfc2822::to_string(&at.to_zoned(TimeZone::UTC))
        .unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 +0000".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // [RFC 5321 §4.4-l, §F.5-a] test
    // [RFC 5322 §3.3] test
    #[test]
    fn date_is_written_in_utc() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(date_time(at), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(date_time(SystemTime::UNIX_EPOCH), "Thu, 1 Jan 1970 00:00:00 +0000");
    }
}
