//! The table of crates: which level each stands on and what it may use.

/// A crate of this workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct House {
    pub(crate) name: &'static str,
    pub(crate) level: u8,
    pub(crate) may_use: MayUse,
}

/// What a crate may depend on, of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MayUse {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Every crate on a lower level.
    Below,
}

/// The first level that may open sockets and files and read clocks.
pub(crate) const IO_LEVEL: u8 = 4;

/// Crates that may use everything and that nobody may use but in tests.
pub(crate) const UNPUBLISHED: [&str; 5] =
    ["transom-fuzz", "transom-sim", "transom-spool-bench", "transom-workspace", "xtask"];

const TYPES: &str = "transom-types";
const MESSAGE: &str = "transom-message";
const CONNECTOR: &str = "transom-connector";
const DNS: &str = "transom-dns";
const TRACKING: &str = "transom-tracking";
const AGENT: &str = "transom-agent";
const MAILAUTH: &str = "transom-mailauth";

const TABLE: [House; 15] = [
    House { name: TYPES, level: 0, may_use: MayUse::Only(&[]) },
    House { name: "transom-smtp", level: 1, may_use: MayUse::Only(&[TYPES]) },
    House { name: MESSAGE, level: 1, may_use: MayUse::Only(&[TYPES]) },
    House { name: CONNECTOR, level: 1, may_use: MayUse::Only(&[TYPES]) },
    House { name: DNS, level: 1, may_use: MayUse::Only(&[TYPES]) },
    House { name: TRACKING, level: 1, may_use: MayUse::Only(&[TYPES]) },
    House { name: AGENT, level: 2, may_use: MayUse::Only(&[TYPES, MESSAGE, TRACKING]) },
    House { name: MAILAUTH, level: 2, may_use: MayUse::Only(&[TYPES, MESSAGE, DNS, TRACKING]) },
    House { name: "transom-queue", level: 2, may_use: MayUse::Only(&[TYPES, MESSAGE, TRACKING]) },
    House {
        name: "transom-routing",
        level: 3,
        may_use: MayUse::Only(&[TYPES, MESSAGE, CONNECTOR, DNS, AGENT, TRACKING]),
    },
    House {
        name: "transom-filters",
        level: 3,
        may_use: MayUse::Only(&[TYPES, MESSAGE, DNS, AGENT, MAILAUTH, TRACKING]),
    },
    House {
        name: "transom-queue-postgres",
        level: 3,
        may_use: MayUse::Only(&["transom-queue", TYPES, MESSAGE, TRACKING]),
    },
    House { name: "transom-runtime", level: 4, may_use: MayUse::Below },
    House { name: "transom", level: 5, may_use: MayUse::Below },
    House { name: "transom-admin", level: 6, may_use: MayUse::Only(&["transom"]) },
];

/// The row of a crate; none for one that is not published or not ours.
pub(crate) fn house(name: &str) -> Option<House> {
    TABLE.into_iter().find(|house| house.name == name)
}

impl House {
    /// Whether an arrow from this crate to `other` goes down and is drawn in the table.
    pub(crate) fn may_use(self, other: Self) -> bool {
        match self.may_use {
            MayUse::Only(names) => names.contains(&other.name),
            MayUse::Below => other.level < self.level,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrow_of_the_table_goes_down() {
        for house in TABLE {
            let MayUse::Only(names) = house.may_use else { continue };
            for name in names {
                let other = super::house(name).unwrap();
                assert!(other.level < house.level, "{} -> {name}", house.name);
            }
        }
    }
}
