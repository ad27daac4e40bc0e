//! Whose turn it is: flows, their turns, and the rings they stand in.
//!
//! A flow is what a queue holds of one priority. Flows of a priority take turns by deficit round
//! robin: a turn is worth [`QUANTUM`], an attempt costs by the size of what it carries, and what
//! is left of a turn, or was overdrawn, counts for the next one. A flow whose turn was cut short
//! because no place was free goes on with the same turn.

use super::priority::Priority;
use super::slab::{Link, Linked, List, Slab};
use super::unit::{Lane, Members};

/// What a turn is worth. No attempt costs more, so each turn begins at least one attempt.
pub(super) const QUANTUM: i32 = 8;

/// Octets of content for which an attempt costs one more.
const COST_OCTETS: u64 = 64 * 1024;

/// What a recipient counts for, in octets of content: a command and its reply.
const RECIPIENT_OCTETS: u64 = 1024;

/// What an attempt costs its flow.
pub(super) fn cost(octets: u64, recipients: usize) -> i32 {
    let recipients = u64::try_from(recipients).unwrap_or(u64::MAX);
    let weight = octets.saturating_add(recipients.saturating_mul(RECIPIENT_OCTETS));
    i32::try_from(weight / COST_OCTETS).unwrap_or(QUANTUM).saturating_add(1).min(QUANTUM)
}

/// Marks the lists of flows that may start something.
#[derive(Debug)]
pub(super) struct Ring;

/// What a queue holds of one priority.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) queue: u32,
    pub(super) priority: Priority,
    /// All its units, whatever they wait for.
    pub(super) members: List<Members>,
    /// Units that may start, oldest first: those of small messages, and of large ones. They take
    /// turns one by one, so neither is delayed to more than twice its time.
    lanes: [List<Lane>; 2],
    bulk_next: bool,
    deficit: i32,
    /// Whether it has had the worth of the turn that it is in.
    in_turn: bool,
    pub(super) seat: Seat,
    ring: Link,
}

/// In which ring a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// In none: nothing of it may start, and it costs nothing.
    Parked,
    /// Takes turns.
    Main,
    /// Its queue has its share of all places: takes turns when nobody else wants them.
    Capped,
}

impl Linked<Ring> for Flow {
    fn link(&self) -> Link {
        self.ring
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.ring
    }
}

impl Flow {
    pub(super) fn new(queue: u32, priority: Priority) -> Self {
        Self {
            queue,
            priority,
            members: List::new(),
            lanes: [List::new(), List::new()],
            bulk_next: false,
            deficit: 0,
            in_turn: false,
            seat: Seat::Parked,
            ring: Link::NONE,
        }
    }

    pub(super) fn lane(&self, bulk: bool) -> &List<Lane> {
        let [small, large] = &self.lanes;
        if bulk { large } else { small }
    }

    pub(super) fn lane_mut(&mut self, bulk: bool) -> &mut List<Lane> {
        let [small, large] = &mut self.lanes;
        if bulk { large } else { small }
    }

    /// Units that may start.
    pub(super) fn startable(&self) -> u32 {
        self.lane(false).len().saturating_add(self.lane(true).len())
    }

    /// The unit that is next.
    pub(super) fn next(&self) -> Option<u32> {
        let first = self.lane(self.bulk_next).front();
        first.or_else(|| self.lane(!self.bulk_next).front())
    }

    /// A unit was taken from a lane: it is the other's turn.
    pub(super) fn took(&mut self, bulk: bool) {
        self.bulk_next = !bulk;
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn deficit(&self) -> i32 {
        self.deficit
    }

    /// Pays for an attempt. Whether its turn goes on.
    fn pay(&mut self, cost: i32) -> bool {
        if !self.in_turn {
            let most = QUANTUM.saturating_mul(2);
            self.deficit = self.deficit.saturating_add(QUANTUM).min(most);
        }
        self.deficit = self.deficit.saturating_sub(cost);
        self.in_turn = self.deficit > 0;
        self.in_turn
    }

    /// It leaves its ring. Who has nothing to start saves nothing up.
    fn leave(&mut self) {
        self.in_turn = false;
        if self.startable() == 0 {
            self.deficit = 0;
        }
    }
}

/// The flows that may start something, in the order of their turns.
#[derive(Debug)]
pub(super) struct Rings {
    main: Set,
    capped: Set,
}

/// One ring a priority.
#[derive(Debug)]
struct Set {
    rings: [List<Ring>; Priority::ALL.len()],
    /// Attempts that each priority has left of this cycle.
    left: [u32; Priority::ALL.len()],
}

impl Rings {
    pub(super) fn new() -> Self {
        Self { main: Set::new(), capped: Set::new() }
    }

    /// The flow whose turn it is.
    pub(super) fn next(&self) -> Option<u32> {
        self.main.next().or_else(|| self.capped.next())
    }

    /// Puts a flow where it belongs, at the end of its ring if it was not there.
    pub(super) fn seat(&mut self, flows: &mut Slab<Flow>, index: u32, seat: Seat) {
        let Some(flow) = flows.get_mut(index) else { return };
        let (rank, before) = (flow.priority.rank(), std::mem::replace(&mut flow.seat, seat));
        if before == seat {
            return;
        }
        flow.leave();
        if let Some(set) = self.set(before) {
            set.remove(flows, index, rank);
        }
        if let Some(set) = self.set(seat) {
            set.push(flows, index, rank);
        }
    }

    /// The flow whose turn it is begins an attempt that costs so much. When that ends its turn,
    /// it goes to the end.
    pub(super) fn charge(&mut self, flows: &mut Slab<Flow>, index: u32, cost: i32) {
        let Some(flow) = flows.get_mut(index) else { return };
        let (rank, goes_on) = (flow.priority.rank(), flow.pay(cost));
        let place = flow.seat;
        let Some(set) = self.set(place) else { return };
        set.take(rank);
        if !goes_on {
            set.remove(flows, index, rank);
            set.push(flows, index, rank);
        }
    }

    fn set(&mut self, seat: Seat) -> Option<&mut Set> {
        match seat {
            Seat::Parked => None,
            Seat::Main => Some(&mut self.main),
            Seat::Capped => Some(&mut self.capped),
        }
    }

    /// All flows in the rings, for the check of the invariants.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn seated(&self, flows: &Slab<Flow>) -> Vec<(u32, Seat)> {
        let all = |set: &Set, seat| {
            let rings = set.rings.iter().flat_map(|ring| ring.iter(flows));
            rings.map(|flow| (flow, seat)).collect::<Vec<_>>()
        };
        [all(&self.main, Seat::Main), all(&self.capped, Seat::Capped)].concat()
    }
}

impl Set {
    fn new() -> Self {
        Self {
            rings: std::array::from_fn(|_| List::new()),
            left: Priority::ALL.map(Priority::weight),
        }
    }

    /// The first of the most urgent priority that has something left of the cycle. When none has,
    /// a new cycle begins with the most urgent.
    fn next(&self) -> Option<u32> {
        let of = |(ring, left): (&List<Ring>, &u32)| ring.front().filter(|_| *left > 0);
        let with_turn = self.rings.iter().zip(&self.left).find_map(of);
        with_turn.or_else(|| self.rings.iter().find_map(List::front))
    }

    /// An attempt of a priority begins.
    fn take(&mut self, rank: usize) {
        let Some(left) = self.left.get_mut(rank) else { return };
        if let Some(rest) = left.checked_sub(1) {
            *left = rest;
            return;
        }
        // Nobody who wants a place has anything left.
        self.left = Priority::ALL.map(Priority::weight);
        if let Some(left) = self.left.get_mut(rank) {
            *left = left.saturating_sub(1);
        }
    }

    fn push(&mut self, flows: &mut Slab<Flow>, index: u32, rank: usize) {
        if let Some(ring) = self.rings.get_mut(rank) {
            ring.push_back(flows, index);
        }
    }

    fn remove(&mut self, flows: &mut Slab<Flow>, index: u32, rank: usize) {
        if let Some(ring) = self.rings.get_mut(rank) {
            ring.remove(flows, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempt_costs_by_its_size_and_never_more_than_a_turn() {
        assert_eq!(cost(1000, 1), 1);
        assert_eq!(cost(70_000, 1), 2);
        assert_eq!(cost(1000, 200), 4);
        assert_eq!(cost(u64::MAX, usize::MAX), QUANTUM);
    }

    #[test]
    fn priorities_share_a_cycle_by_their_weights_and_leave_nothing_unused() {
        let (mut flows, mut rings) = (Slab::new(), Rings::new());
        let of: Vec<u32> =
            Priority::ALL.map(|priority| flows.insert(Flow::new(0, priority))).to_vec();
        let begun = |rings: &mut Rings, flows: &mut Slab<Flow>, times: u32| {
            let mut counts = [0u32; 5];
            for _ in 0..times {
                let flow = rings.next().unwrap();
                counts[flows.get(flow).unwrap().priority.rank()] += 1;
                rings.charge(flows, flow, 1);
            }
            counts
        };
        for flow in &of {
            rings.seat(&mut flows, *flow, Seat::Main);
        }
        assert_eq!(begun(&mut rings, &mut flows, 310), [160, 80, 40, 20, 10]);
        rings.seat(&mut flows, of[0], Seat::Parked);
        assert_eq!(begun(&mut rings, &mut flows, 150), [0, 80, 40, 20, 10]);
        for flow in &of[1..4] {
            rings.seat(&mut flows, *flow, Seat::Parked);
        }
        assert_eq!(begun(&mut rings, &mut flows, 10), [0, 0, 0, 0, 10]);
    }
}
