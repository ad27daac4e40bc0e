//! A timer wheel: setting, moving and stopping a timer costs the same however many there are.
//!
//! Four levels of 256 slots. A timer stands in the level of the highest octet in which its time
//! differs from the present; when the present comes to its slot it moves down, at most three
//! times. The work is done timer by timer, so a slot with a million of them can be left half
//! emptied and gone on with later.

use super::clock::Tick;
use super::slab::{Linked, List, Slab};

const SLOTS: usize = 256;
const LEVELS: usize = 4;

/// Marks the list of timers of a slot.
#[derive(Debug)]
pub(super) struct Alarm;

/// Which slot an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotIndex(u16);

impl SlotIndex {
    /// In none: its timer is not set.
    pub(super) const NONE: Self = Self(u16::MAX);

    pub(super) fn is_set(self) -> bool {
        self != Self::NONE
    }
}

/// An entry that can wait for a time.
pub(super) trait Timed: Linked<Alarm> {
    /// What it waits for. Must not change while its timer is set.
    fn at(&self) -> Tick;
    fn slot(&self) -> SlotIndex;
    fn set_slot(&mut self, slot: SlotIndex);
}

/// The timers of the entries of one slab.
#[derive(Debug)]
pub(super) struct Wheel {
    /// All timers before this have gone off.
    present: u32,
    slots: Vec<Slot>,
    /// Which slots hold something, level by level.
    occupied: [[u64; SLOTS / 64]; LEVELS],
}

#[derive(Debug)]
struct Slot {
    list: List<Alarm>,
    /// No timer in it goes off before this.
    first: u32,
}

impl Wheel {
    pub(super) fn new() -> Self {
        let empty = || Slot { list: List::new(), first: u32::MAX };
        let slots = std::iter::repeat_with(empty).take(SLOTS * LEVELS).collect();
        Self { present: 0, slots, occupied: [[0; SLOTS / 64]; LEVELS] }
    }

    /// Sets the timer of an entry that has none set. One for never is not set at all.
    pub(super) fn set<T: Timed>(&mut self, slab: &mut Slab<T>, index: u32) {
        let Some(entry) = slab.get_mut(index) else { return };
        if entry.at() == Tick::NEVER {
            return;
        }
        // What is late goes off next.
        let at = entry.at().0.max(self.present);
        let level = level_of(at ^ self.present);
        let slot = level.saturating_mul(SLOTS).saturating_add(octet(at, level));
        entry.set_slot(SlotIndex(u16::try_from(slot).unwrap_or(u16::MAX)));
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.first = slot.first.min(at);
            slot.list.push_back(slab, index);
        }
        self.mark(slot, true);
    }

    /// Stops the timer of an entry, if it is set.
    pub(super) fn stop<T: Timed>(&mut self, slab: &mut Slab<T>, index: u32) {
        let Some(entry) = slab.get_mut(index) else { return };
        let at = usize::from(entry.slot().0);
        let Some(slot) = self.slots.get_mut(at) else { return };
        entry.set_slot(SlotIndex::NONE);
        slot.list.remove(slab, index);
        if slot.list.is_empty() {
            slot.first = u32::MAX;
            self.mark(at, false);
        }
    }

    /// The next entry whose time has come; its timer is set no more. `budget` is what may be
    /// looked at; with none left this gives none.
    pub(super) fn pop<T: Timed>(
        &mut self,
        slab: &mut Slab<T>,
        now: Tick,
        budget: &mut u32,
    ) -> Option<u32> {
        loop {
            if let Some(index) = self.moving_down() {
                *budget = budget.checked_sub(1)?;
                self.stop(slab, index);
                self.set(slab, index);
            } else if let Some(index) = self.front(octet(self.present, 0)) {
                *budget = budget.checked_sub(1)?;
                self.stop(slab, index);
                return Some(index);
            } else {
                match self.next() {
                    Some(next) if next <= now => self.present = next.0,
                    // It may come into a slot whose timers are later still: they move down.
                    _ if self.present < now.0 => self.present = now.0,
                    _ => return None,
                }
            }
        }
    }

    /// When to look again. There may be nothing yet to go off at this time, but never anything
    /// before.
    pub(super) fn next(&self) -> Option<Tick> {
        if self.moving_down().is_some() {
            return Some(Tick(self.present));
        }
        (0..LEVELS).find_map(|level| {
            let slot = self.first_occupied(level, octet(self.present, level))?;
            let slot = self.slots.get(level.saturating_mul(SLOTS).saturating_add(slot))?;
            Some(Tick(slot.first.max(self.present)))
        })
    }

    /// Checks that each entry stands in the slot that it says, and that no slot is overlooked.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn check<T: Timed>(&self, slab: &Slab<T>) -> Result<(), String> {
        let mut count = 0usize;
        for (at, slot) in self.slots.iter().enumerate() {
            let words = self.occupied.get(at / SLOTS).and_then(|words| words.get(at % SLOTS / 64));
            let marked = words.is_some_and(|word| word & (1 << (at % 64)) != 0);
            if marked == slot.list.is_empty() {
                return Err("S2: a slot is marked wrong".to_owned());
            }
            for index in slot.list.iter(slab) {
                let entry = slab.get(index).ok_or("S2: a timer of nothing")?;
                let at_once = entry.at().0 <= self.present;
                let early = entry.at().0 < slot.first && !at_once;
                if usize::from(entry.slot().0) != at || early {
                    return Err("S2: a timer in a wrong slot".to_owned());
                }
                count = count.saturating_add(1);
            }
        }
        let set = slab.iter().filter(|(_, entry)| entry.slot().is_set()).count();
        if set == count { Ok(()) } else { Err("S2: a timer is lost".to_owned()) }
    }

    /// A timer of a higher level whose slot the present has come to.
    fn moving_down(&self) -> Option<u32> {
        (1..LEVELS).rev().find_map(|level| {
            self.front(level.saturating_mul(SLOTS).saturating_add(octet(self.present, level)))
        })
    }

    fn front(&self, slot: usize) -> Option<u32> {
        self.slots.get(slot)?.list.front()
    }

    fn first_occupied(&self, level: usize, from: usize) -> Option<usize> {
        let words = self.occupied.get(level)?;
        (from / 64..words.len()).find_map(|at| {
            let word = *words.get(at)?;
            // In the first word, those before `from` do not count.
            let word = if at == from / 64 { word & (u64::MAX << (from % 64)) } else { word };
            let bit = usize::try_from(word.trailing_zeros()).ok()?;
            (word != 0).then(|| at.saturating_mul(64).saturating_add(bit))
        })
    }

    fn mark(&mut self, slot: usize, occupied: bool) {
        let words = self.occupied.get_mut(slot / SLOTS);
        if let Some(word) = words.and_then(|words| words.get_mut(slot % SLOTS / 64)) {
            let bit = 1 << (slot % 64);
            *word = if occupied { *word | bit } else { *word & !bit };
        }
    }
}

/// The level of a time that differs from the present in these bits.
fn level_of(difference: u32) -> usize {
    match difference {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xff_ffff => 2,
        _ => 3,
    }
}

/// The octet of a time that is its slot in a level.
fn octet(at: u32, level: usize) -> usize {
    let octets = at.to_le_bytes();
    octets.get(level).copied().map(usize::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::slab::Link;
    use super::*;

    struct Entry(Tick, SlotIndex, Link);

    impl Linked<Alarm> for Entry {
        fn link(&self) -> Link {
            self.2
        }
        fn link_mut(&mut self) -> &mut Link {
            &mut self.2
        }
    }

    impl Timed for Entry {
        fn at(&self) -> Tick {
            self.0
        }
        fn slot(&self) -> SlotIndex {
            self.1
        }
        fn set_slot(&mut self, slot: SlotIndex) {
            self.1 = slot;
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set(u32),
        Stop(usize),
        Advance(u32, u32),
    }

    fn op() -> impl Strategy<Value = Op> {
        let near = prop_oneof![0u32..600, 0u32..100_000, 0u32..40_000_000, any::<u32>()];
        prop_oneof![
            4 => near.clone().prop_map(Op::Set),
            1 => (0usize..50).prop_map(Op::Stop),
            3 => (near, 0u32..20).prop_map(|(by, budget)| Op::Advance(by, budget)),
        ]
    }

    proptest! {
        #[test]
        fn goes_off_as_a_sorted_list_does(ops in proptest::collection::vec(op(), 1..150)) {
            let (mut slab, mut wheel) = (Slab::new(), Wheel::new());
            let (mut now, mut model) = (0u32, BTreeMap::<u32, u32>::new());
            for op in ops {
                match op {
                    Op::Set(after) => {
                        let at = now.saturating_add(after).min(u32::MAX - 1);
                        let index = slab.insert(Entry(Tick(at), SlotIndex::NONE, Link::NONE));
                        wheel.set(&mut slab, index);
                        model.insert(index, at);
                    }
                    Op::Stop(which) => {
                        let found = model.keys().nth(which).copied();
                        if let Some(index) = found {
                            wheel.stop(&mut slab, index);
                            slab.remove(index);
                            model.remove(&index);
                        }
                    }
                    Op::Advance(by, mut budget) => {
                        now = now.saturating_add(by).min(u32::MAX - 1);
                        while let Some(index) = wheel.pop(&mut slab, Tick(now), &mut budget) {
                            let at = model.remove(&index).unwrap();
                            prop_assert!(at <= now);
                            // In order, as far as they were not set late.
                            prop_assert!(model.values().all(|other| *other >= at));
                            slab.remove(index);
                        }
                        let left = model.values().any(|at| *at <= now);
                        prop_assert!(!left || budget == 0, "something was left");
                        let next = wheel.next().filter(|_| budget > 0);
                        prop_assert!(next.is_none_or(|next| next.0 > now), "nothing is due");
                    }
                }
                let first = model.values().min().copied();
                let next = wheel.next();
                prop_assert_eq!(next.is_some(), first.is_some());
                prop_assert!(next.is_none_or(|next| next.0 <= first.unwrap().max(now)));
            }
            // Looking only when told to reaches the end in few steps a timer.
            let mut looks = 0;
            while let Some(next) = wheel.next() {
                now = now.max(next.0);
                looks += 1;
                let mut budget = u32::MAX;
                while let Some(index) = wheel.pop(&mut slab, Tick(now), &mut budget) {
                    prop_assert!(model.remove(&index).unwrap() <= now);
                }
                prop_assert!(looks <= 2000);
            }
            prop_assert!(model.is_empty());
        }
    }
}
