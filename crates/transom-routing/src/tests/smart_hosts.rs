//! Which smart host is tried first, and which is left out.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use transom_connector::SmartHostOrder::{self, LeastOutstanding, Listed, RoundRobin};

use crate::SmartHostPool;

const MIN: Duration = SmartHostPool::WAIT_MIN;
const MAX: Duration = SmartHostPool::WAIT_MAX;

#[expect(clippy::disallowed_methods, reason = "a test needs an instant to begin with")]
fn start() -> Instant {
    Instant::now()
}

fn just_before(at: Instant) -> Instant {
    at.checked_sub(Duration::from_nanos(1)).unwrap()
}

fn fail(pool: &mut SmartHostPool, host: usize, now: Instant) {
    pool.begin(host, now);
    pool.failed(host, now);
    pool.end(host);
}

/// A pool of three whose first host has just been left out.
fn first_is_out(now: Instant) -> SmartHostPool {
    let mut pool = SmartHostPool::new(Listed, 3);
    for _ in 0..SmartHostPool::FAILURES_MAX {
        assert_eq!(pool.order(now), [0, 1, 2]);
        fail(&mut pool, 0, now);
    }
    pool
}

#[test]
fn hosts_are_tried_in_the_order_of_the_connector() {
    let now = start();
    let mut listed = SmartHostPool::new(Listed, 3);
    assert_eq!((listed.order(now), listed.order(now)), (vec![0, 1, 2], vec![0, 1, 2]));
    let mut round = SmartHostPool::new(RoundRobin, 3);
    let rounds: Vec<_> = (0..4).map(|_| round.order(now)).collect();
    assert_eq!(rounds, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    let mut least = SmartHostPool::new(LeastOutstanding, 3);
    least.begin(0, now);
    least.begin(0, now);
    least.begin(2, now);
    assert_eq!(least.order(now), [1, 2, 0]);
    least.opened(0);
    assert_eq!(least.order(now), [1, 2, 0]);
    least.end(0);
    least.end(0);
    assert_eq!(least.order(now), [0, 1, 2]);
}

#[test]
fn a_host_that_fails_again_and_again_is_left_out_for_a_while() {
    let now = start();
    let mut pool = first_is_out(now);
    assert_eq!(pool.order(now), [1, 2]);
    assert_eq!(pool.order(just_before(now + MIN)), [1, 2]);
    assert_eq!(pool.order(now + MIN), [0, 1, 2]);
}

#[test]
fn a_success_between_failures_keeps_a_host_in() {
    let now = start();
    let mut pool = SmartHostPool::new(Listed, 2);
    for _ in 0..10 {
        fail(&mut pool, 0, now);
        fail(&mut pool, 0, now);
        pool.begin(0, now);
        pool.opened(0);
        pool.end(0);
        assert_eq!(pool.order(now), [0, 1]);
    }
}

#[test]
fn one_probe_decides_and_the_others_go_on_without_the_host() {
    let now = start();
    let mut pool = first_is_out(now);
    let later = now + MIN;
    pool.begin(0, later);
    assert_eq!(pool.order(later), [1, 2]);
    pool.opened(0);
    assert_eq!(pool.order(later), [0, 1, 2]);
    pool.end(0);
    // It is as if it had never failed.
    fail(&mut pool, 0, later);
    assert_eq!(pool.order(later), [0, 1, 2]);
}

#[test]
fn each_failed_probe_doubles_the_wait_up_to_a_limit() {
    let mut now = start();
    let mut pool = first_is_out(now);
    let mut wait = MIN;
    for _ in 0..10 {
        assert_eq!(pool.order(just_before(now + wait)), [1, 2]);
        now += wait;
        fail(&mut pool, 0, now);
        wait = (wait * 2).min(MAX);
    }
    assert_eq!(wait, MAX);
}

#[test]
fn failures_of_attempts_from_before_do_not_lengthen_the_wait() {
    let now = start();
    let mut pool = SmartHostPool::new(Listed, 2);
    for _ in 0..100 {
        pool.begin(0, now);
    }
    for _ in 0..100 {
        pool.failed(0, now);
        pool.end(0);
    }
    assert_eq!(pool.order(now + MIN), [0, 1]);
}

#[test]
fn a_probe_that_says_nothing_makes_way_for_another() {
    let now = start();
    let mut pool = first_is_out(now);
    pool.begin(0, now + MIN);
    pool.end(0);
    assert_eq!(pool.order(now + MIN), [0, 1, 2]);
}

#[test]
fn where_all_are_left_out_all_are_tried() {
    let now = start();
    let mut pool = SmartHostPool::new(Listed, 2);
    for host in [1, 0] {
        let at = now + Duration::from_secs(u64::from(host == 0));
        for _ in 0..SmartHostPool::FAILURES_MAX {
            fail(&mut pool, host, at);
        }
    }
    assert_eq!(pool.order(now), [1, 0]);
}

#[test]
fn a_pool_without_hosts_and_a_host_out_of_it_are_harmless() {
    let now = start();
    for order in [Listed, RoundRobin, LeastOutstanding] {
        let mut pool = SmartHostPool::new(order, 0);
        fail(&mut pool, 7, now);
        pool.opened(7);
        assert_eq!(pool.order(now), [0usize; 0]);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(usize),
    Fail(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..4).prop_map(Step::Open),
        (0usize..4).prop_map(Step::Fail),
        (0u64..700).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn every_order_names_some_hosts_once_and_all_of_them_after_the_longest_wait(
        steps in prop::collection::vec(step(), 0..60),
        order in prop::sample::select(vec![Listed, RoundRobin, LeastOutstanding]),
    ) {
        let mut now = start();
        let mut pool = SmartHostPool::new(order, 4);
        for step in steps {
            match step {
                Step::Open(host) => {
                    pool.begin(host, now);
                    pool.opened(host);
                    pool.end(host);
                }
                Step::Fail(host) => fail(&mut pool, host, now),
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
            }
            let mut hosts = pool.order(now);
            prop_assert!(!hosts.is_empty());
            hosts.sort_unstable();
            hosts.dedup();
            prop_assert!(hosts.iter().all(|host| *host < 4));
        }
        let mut hosts = pool.order(now + MAX);
        hosts.sort_unstable();
        prop_assert_eq!(hosts, [0, 1, 2, 3]);
    }
}

#[test]
fn as_listed_is_the_default() {
    assert_eq!(SmartHostOrder::default(), Listed);
}
