//! How many attempts of a queue may be under way: grows with success, shrinks with failure, both
//! by one in as many as it is wide.
//!
//! A window that grows and shrinks by one each time swings about a peer's limit and is refused
//! every other connection; one that does it once in a window's worth finds the limit and stays
//! near it.

/// Attempts with which a peer is met that was away, or that much has waited for.
const SMALL: u32 = 2;

/// The width, and how far it is on its way to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    width: u32,
    initial: u32,
    max: u32,
    /// Successes since it last changed.
    successes: u32,
    /// Failures that do not narrow it, as the last one that did counts for them.
    forgiven: u32,
}

impl Window {
    /// Begins with `initial`, never goes beyond `max`; neither is below one.
    pub(super) fn new(initial: u32, max: u32) -> Self {
        let max = max.max(1);
        let initial = initial.clamp(1, max);
        Self { width: initial, initial, max, successes: 0, forgiven: 0 }
    }

    pub(super) fn width(&self) -> u32 {
        self.width
    }

    /// A connection worked, with `inflight` more under way. What is not made use of does not grow.
    pub(super) fn succeeded(&mut self, inflight: u32) {
        self.forgiven = 0;
        if self.width >= inflight.saturating_add(self.initial) {
            return;
        }
        self.successes = self.successes.saturating_add(1);
        if self.successes >= self.width {
            self.width = self.width.saturating_add(1).min(self.max);
            self.successes = 0;
        }
    }

    /// A connection failed beside others that may work: the first failure narrows at once, then
    /// one in as many as the window is wide.
    pub(super) fn failed(&mut self) {
        self.successes = 0;
        if self.forgiven > 1 {
            self.forgiven = self.forgiven.saturating_sub(1);
            return;
        }
        self.width = self.width.saturating_sub(1).max(1);
        self.forgiven = self.width;
    }

    /// The peer cannot be reached at all: one at a time finds out when it can.
    pub(super) fn close(&mut self) {
        *self = Self { width: 1, successes: 0, forgiven: 0, ..*self };
    }

    /// The peer can be reached, but much may wait for it: begins small and grows as that works.
    pub(super) fn reopen(&mut self) {
        let width = self.initial.min(SMALL);
        *self = Self { width, successes: 0, forgiven: 0, ..*self };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_one_for_a_windows_worth_of_successes() {
        let mut window = Window::new(2, 4);
        let widths: Vec<u32> = (0..12)
            .map(|_| {
                window.succeeded(3);
                window.width()
            })
            .collect();
        assert_eq!(widths, [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn does_not_grow_where_it_is_not_made_use_of() {
        let mut window = Window::new(5, 20);
        for _ in 0..1000 {
            window.succeeded(0);
        }
        assert_eq!(window.width(), 5);
        for _ in 0..1000 {
            window.succeeded(4);
        }
        assert_eq!(window.width(), 9);
    }

    #[test]
    fn first_failure_narrows_and_then_one_in_a_windows_worth() {
        let mut window = Window::new(5, 20);
        let widths: Vec<u32> = (0..12)
            .map(|_| {
                window.failed();
                window.width()
            })
            .collect();
        assert_eq!(widths, [4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 1, 1]);
        window.succeeded(4);
        window.close();
        assert_eq!(window.width(), 1);
        window.reopen();
        assert_eq!(window.width(), 2);
        let mut narrow = Window::new(1, 20);
        narrow.reopen();
        assert_eq!(narrow.width(), 1);
    }

    // A peer that takes five connections, and a window that may be 20 wide.
    #[test]
    fn finds_the_limit_of_a_peer_and_stays_near_it() {
        let mut window = Window::new(5, 20);
        let (mut tried, mut refused) = (0u32, 0u32);
        for _ in 0..10_000 {
            let width = window.width();
            tried += width;
            let over = width.saturating_sub(5);
            refused += over;
            for _ in 0..over {
                window.failed();
            }
            for left in (0..width - over).rev() {
                window.succeeded(left + over);
            }
            assert!(window.width() <= 7, "{}", window.width());
        }
        assert!(refused * 5 < tried, "{refused} of {tried} were refused");
    }
}
