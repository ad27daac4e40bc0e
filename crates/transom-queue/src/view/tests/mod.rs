mod feed;
mod rows;
mod unscheduled;
mod verbs;

use std::time::Instant;

use transom_types::Timestamp;

use super::Moment;

fn moment() -> Moment {
    let wall = "2026-11-24T12:00:00Z".parse::<Timestamp>().unwrap().to_system_time();
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    let now = Instant::now();
    Moment { now, wall }
}
