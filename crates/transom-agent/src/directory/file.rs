//! A directory written down in TOML.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use transom_types::{Domain, Mailbox};

use super::{DirectoryEntry, FallbackDirectory, GroupReports, MemoryDirectory, RecipientPolicy};

impl FallbackDirectory<MemoryDirectory> {
    /// A directory out of a text in TOML. Who reads the file is the caller.
    ///
    /// ```
    /// use transom_agent::FallbackDirectory;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let directory = FallbackDirectory::from_toml(r#"
    ///     separator = "+"
    ///
    ///     [catch_all]
    ///     "contoso.com" = "ann@contoso.com"
    ///
    ///     [[mailbox]]
    ///     address = "ann@contoso.com"
    ///     aliases = ["ann.smith@contoso.com"]
    ///     forward_to = "ann@fabrikam.com"
    ///     keep_copy = true
    ///     policy = { receive_octets_max = 10_000_000, reject_from = ["carl@fabrikam.com"] }
    ///
    ///     [[group]]
    ///     address = "sales@contoso.com"
    ///     members = ["ann@contoso.com", "bob@contoso.com"]
    ///     owner = "ann@contoso.com"
    ///     reports = "owner"
    ///     policy = { authenticated_only = true }
    ///
    ///     [[contact]]
    ///     address = "bob@contoso.com"
    ///     external = "bob@fabrikam.com"
    /// "#)?;
    /// assert_eq!(directory.inner().len(), 4);
    /// # Ok(()) }
    /// ```
    ///
    /// `reports` is `"sender"`, `"owner"` or `"nobody"`; without it failures are reported to the
    /// sender. Fields of a policy have the names of [`RecipientPolicy`].
    ///
    /// # Errors
    ///
    /// What is wrong, with line and column. Fields with other names are refused.
    pub fn from_toml(text: &str) -> Result<Self, ParseDirectoryError> {
        let read = match DeTable::parse(text) {
            Ok(table) => read(&table),
            Err(error) => {
                let message = error.message().lines().next().unwrap_or_default().to_owned();
                Err((error.span().unwrap_or_default(), DirectoryProblem::Syntax { message }))
            }
        };
        read.map_err(|(place, problem)| {
            let before = text.get(..place.start).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
            let count = |number: usize| u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX);
            let line = count(before.matches('\n').count());
            let column = count(before.get(line_start..).unwrap_or_default().chars().count());
            ParseDirectoryError { line, column, problem }
        })
    }
}

/// Why a text is no directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
#[non_exhaustive]
pub struct ParseDirectoryError {
    /// In which line, from 1.
    pub line: u32,
    /// At which character of it, from 1.
    pub column: u32,
    /// What is wrong there.
    pub problem: DirectoryProblem,
}

/// What is wrong in a directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryProblem {
    /// Two recipients have this address.
    #[error("{mailbox} stands twice in the directory")]
    Duplicate {
        /// The address.
        mailbox: Mailbox,
    },
    /// A field is not there.
    #[error("{field} is missing")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// No domain.
    #[error("\"{found}\" is no domain")]
    NotDomain {
        /// What stands there.
        found: String,
    },
    /// No mailbox.
    #[error("\"{found}\" is no mailbox")]
    NotMailbox {
        /// What stands there.
        found: String,
    },
    /// No TOML.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A field that does not exist.
    #[error("there is no field {field}{}", nearest_words(*.nearest))]
    UnknownField {
        /// Its name.
        field: String,
        /// The field that may be meant.
        nearest: Option<&'static str>,
    },
    /// Mail goes to a recipient that is not in the directory.
    #[error("{mailbox} is not in the directory")]
    UnknownMailbox {
        /// The address.
        mailbox: Mailbox,
    },
    /// A value that the field cannot have.
    #[error("{field} is {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// What it can have.
        expected: &'static str,
    },
}

fn nearest_words(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; do you mean {nearest}?"))
}

type Wrong = (Range<usize>, DirectoryProblem);
type Directory = FallbackDirectory<MemoryDirectory>;

fn read(table: &Spanned<DeTable<'_>>) -> Result<Directory, Wrong> {
    let mut fields = Fields::new(table.get_ref(), table.span());
    let mut memory = MemoryDirectory::default();
    let kinds: [(&'static str, ReadEntry); 3] =
        [("mailbox", read_mailbox), ("group", read_group), ("contact", read_contact)];
    for (kind, read) in kinds {
        for value in fields.array(kind)? {
            let mut fields = Fields::of(value, kind)?;
            read_recipient(&mut fields, read, &mut memory)?;
            fields.end()?;
        }
    }
    let separator = fields.separator()?;
    let catch_all = fields.take("catch_all");
    fields.end()?;

    let mut directory = FallbackDirectory::new(memory);
    if let Some(separator) = separator {
        directory = directory.with_separator(separator);
    }
    let Some(catch_all) = catch_all else { return Ok(directory) };
    let Some(domains) = catch_all.get_ref().as_table() else {
        return Err(wrong_value(catch_all, "catch_all", "a table of domains and mailboxes"));
    };
    for (domain, value) in domains {
        let found = domain.get_ref();
        let domain: Domain = found.parse().map_err(|_| {
            (domain.span(), DirectoryProblem::NotDomain { found: found.to_string() })
        })?;
        let mailbox = mailbox(value, "catch_all")?;
        if directory.inner().get(&mailbox).is_none() {
            return Err((value.span(), DirectoryProblem::UnknownMailbox { mailbox }));
        }
        directory = directory.with_catch_all(&domain, mailbox);
    }
    Ok(directory)
}

type ReadEntry = fn(&mut Fields<'_, '_>) -> Result<DirectoryEntry, Wrong>;

fn read_recipient(
    fields: &mut Fields<'_, '_>,
    read: ReadEntry,
    memory: &mut MemoryDirectory,
) -> Result<(), Wrong> {
    let address_at = fields.required("address")?;
    let address = mailbox(address_at, "address")?;
    let aliases = fields.array("aliases")?;
    let policy = read_policy(fields)?;
    let entry = read(fields)?.with_policy(policy);
    insert(memory, address_at, &address, entry)?;
    for alias in aliases {
        let name = mailbox(alias, "aliases")?;
        insert(memory, alias, &name, DirectoryEntry::alias(address.clone()))?;
    }
    Ok(())
}

fn insert(
    memory: &mut MemoryDirectory,
    at: &Spanned<DeValue<'_>>,
    mailbox: &Mailbox,
    entry: DirectoryEntry,
) -> Result<(), Wrong> {
    match memory.insert(mailbox, entry) {
        None => Ok(()),
        Some(_) => Err((at.span(), DirectoryProblem::Duplicate { mailbox: mailbox.clone() })),
    }
}

fn read_mailbox(fields: &mut Fields<'_, '_>) -> Result<DirectoryEntry, Wrong> {
    let keep_copy = fields.flag("keep_copy")?;
    Ok(match fields.mailbox("forward_to")? {
        Some(to) => DirectoryEntry::forwarding(to, keep_copy),
        None => DirectoryEntry::mailbox(),
    })
}

fn read_group(fields: &mut Fields<'_, '_>) -> Result<DirectoryEntry, Wrong> {
    let members = fields.mailboxes("members")?;
    let owner = fields.mailbox("owner")?;
    let reports = match fields.take("reports") {
        None => GroupReports::Sender,
        Some(value) => match (value.get_ref().as_str(), owner) {
            (Some("sender"), _) => GroupReports::Sender,
            (Some("nobody"), _) => GroupReports::Nobody,
            (Some("owner"), Some(owner)) => GroupReports::Owner(owner),
            (Some("owner"), None) => return Err(fields.missing("owner")),
            _ => return Err(wrong_value(value, "reports", "\"sender\", \"owner\" or \"nobody\"")),
        },
    };
    Ok(DirectoryEntry::group(members).with_reports(reports))
}

fn read_contact(fields: &mut Fields<'_, '_>) -> Result<DirectoryEntry, Wrong> {
    let external = fields.required("external")?;
    Ok(DirectoryEntry::contact(mailbox(external, "external")?))
}

fn read_policy(fields: &mut Fields<'_, '_>) -> Result<RecipientPolicy, Wrong> {
    let Some(value) = fields.take("policy") else { return Ok(RecipientPolicy::default()) };
    let mut fields = Fields::of(value, "policy")?;
    let policy = RecipientPolicy {
        accept_only_from: fields.mailboxes("accept_only_from")?,
        reject_from: fields.mailboxes("reject_from")?,
        authenticated_only: fields.flag("authenticated_only")?,
        receive_octets_max: fields.number("receive_octets_max")?,
        send_octets_max: fields.number("send_octets_max")?,
        send_recipients_max: fields.number("send_recipients_max")?,
    };
    fields.end().map(|()| policy)
}

/// A table whose fields are taken one after another, so that what is left over has no meaning.
struct Fields<'t, 'i> {
    table: &'t DeTable<'i>,
    place: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'t, 'i> Fields<'t, 'i> {
    fn new(table: &'t DeTable<'i>, place: Range<usize>) -> Self {
        Self { table, place, asked: Vec::new() }
    }

    fn of(value: &'t Spanned<DeValue<'i>>, field: &'static str) -> Result<Self, Wrong> {
        match value.get_ref().as_table() {
            Some(table) => Ok(Self::new(table, value.span())),
            None => Err(wrong_value(value, field, "a table")),
        }
    }

    fn take(&mut self, field: &'static str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.asked.push(field);
        self.table.get(field)
    }

    fn required(&mut self, field: &'static str) -> Result<&'t Spanned<DeValue<'i>>, Wrong> {
        self.take(field).ok_or_else(|| self.missing(field))
    }

    fn missing(&self, field: &'static str) -> Wrong {
        (self.place.clone(), DirectoryProblem::Missing { field })
    }

    fn array(&mut self, field: &'static str) -> Result<&'t [Spanned<DeValue<'i>>], Wrong> {
        let Some(value) = self.take(field) else { return Ok(&[]) };
        let array = value.get_ref().as_array();
        array.map(|array| &**array).ok_or_else(|| wrong_value(value, field, "a list"))
    }

    fn mailbox(&mut self, field: &'static str) -> Result<Option<Mailbox>, Wrong> {
        self.take(field).map(|value| mailbox(value, field)).transpose()
    }

    fn mailboxes(&mut self, field: &'static str) -> Result<Vec<Mailbox>, Wrong> {
        self.array(field)?.iter().map(|value| mailbox(value, field)).collect()
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, Wrong> {
        let Some(value) = self.take(field) else { return Ok(false) };
        value.get_ref().as_bool().ok_or_else(|| wrong_value(value, field, "true or false"))
    }

    fn number<N: TryFrom<u64>>(&mut self, field: &'static str) -> Result<Option<N>, Wrong> {
        let Some(value) = self.take(field) else { return Ok(None) };
        let integer = value.get_ref().as_integer();
        let number = integer.and_then(|text| u64::from_str_radix(text.as_str(), text.radix()).ok());
        match number.and_then(|number| N::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong_value(value, field, "a number that is not negative")),
        }
    }

    fn separator(&mut self) -> Result<Option<char>, Wrong> {
        let Some(value) = self.take("separator") else { return Ok(None) };
        let mut characters = value.get_ref().as_str().unwrap_or_default().chars();
        match (characters.next(), characters.next()) {
            (Some(separator), None) => Ok(Some(separator)),
            _ => Err(wrong_value(value, "separator", "one character")),
        }
    }

    /// Refuses what nobody asked for.
    fn end(self) -> Result<(), Wrong> {
        let is_unknown = |name: &str| !self.asked.contains(&name);
        let unknown = self.table.keys().find(|name| is_unknown(name.get_ref()));
        let Some(unknown) = unknown else { return Ok(()) };
        let field = unknown.get_ref().to_string();
        let nearest = nearest(&field, &self.asked);
        Err((unknown.span(), DirectoryProblem::UnknownField { field, nearest }))
    }
}

fn mailbox(value: &Spanned<DeValue<'_>>, field: &'static str) -> Result<Mailbox, Wrong> {
    let Some(text) = value.get_ref().as_str() else {
        return Err(wrong_value(value, field, "a mailbox in quotes"));
    };
    let found = || DirectoryProblem::NotMailbox { found: text.to_owned() };
    text.parse().map_err(|_| (value.span(), found()))
}

fn wrong_value(value: &Spanned<DeValue<'_>>, field: &'static str, expected: &'static str) -> Wrong {
    (value.span(), DirectoryProblem::Value { field, expected })
}

/// The name that is meant, if one is near.
fn nearest(found: &str, names: &[&'static str]) -> Option<&'static str> {
    let distances = names.iter().map(|name| (distance(found, name), *name));
    let far = found.chars().count().div_ceil(2);
    distances.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name)
}

/// How many characters must be put in, taken out or changed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut next = vec![line.saturating_add(1)];
        for ((to, above), diagonal) in b.chars().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let changed = diagonal.saturating_add(usize::from(from != to));
            next.push(left.min(*above).saturating_add(1).min(changed));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
