//! A directory in memory, and what may stand behind one: sub-addresses and catch-all mailboxes.

use std::collections::HashMap;

use async_trait::async_trait;
use transom_types::{Domain, Host, LocalPart, Mailbox};

use super::{Directory, DirectoryAnswer, DirectoryEntry, DirectoryUnavailable, RecipientKind};

/// Recipients in memory. Case of letters does not count, nor do quotes and the spelling of a
/// domain: a local-part in other letters is another name of the one that is written down, so that
/// nobody gets a message once for each spelling.
///
/// ```
/// use transom_agent::{Directory, DirectoryAnswer, DirectoryEntry, MemoryDirectory};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let directory = MemoryDirectory::default()
///     .with(&"ann@contoso.com".parse()?, DirectoryEntry::mailbox())
///     .with(&"all@contoso.com".parse()?, DirectoryEntry::group(["ann@contoso.com".parse()?]));
/// let answer = directory.lookup(&"Ann@Contoso.com".parse()?).await?;
/// assert!(answer.is_known());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryDirectory {
    entries: HashMap<String, (Mailbox, DirectoryEntry)>,
}

impl MemoryDirectory {
    /// The same with this recipient; one that was there already is replaced.
    #[must_use]
    pub fn with(mut self, mailbox: &Mailbox, entry: DirectoryEntry) -> Self {
        self.insert(mailbox, entry);
        self
    }

    /// Adds a recipient, and gives back what had the address before.
    pub fn insert(&mut self, mailbox: &Mailbox, entry: DirectoryEntry) -> Option<DirectoryEntry> {
        let before = self.entries.insert(key(mailbox), (mailbox.clone(), entry));
        before.map(|(_, entry)| entry)
    }

    /// What is known of an address.
    pub fn get(&self, mailbox: &Mailbox) -> Option<&DirectoryEntry> {
        self.entries.get(&key(mailbox)).map(|(_, entry)| entry)
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        Ok(match self.entries.get(&key(mailbox)) {
            None => DirectoryAnswer::Unknown,
            Some((written, _)) if written.local_part() != mailbox.local_part() => {
                DirectoryEntry::alias(written.clone()).into()
            }
            Some((_, entry)) => entry.clone().into(),
        })
    }
}

/// Equal for addresses that are one here.
fn key(mailbox: &Mailbox) -> String {
    let host = match mailbox.host() {
        Host::Domain(domain) => domain_key(&domain),
        Host::Literal(literal) => literal.to_string(),
    };
    // [RFC 5321 §2.4] this is the host that owns the mailboxes, and to it case is all the same.
    format!("{}@{host}", mailbox.local_part().unquoted().to_lowercase())
}

fn domain_key(domain: &Domain) -> String {
    domain.to_ascii().unwrap_or_else(|_| domain.to_lowercase()).to_string()
}

/// A directory with answers for addresses that it does not know by themselves: `ann+news` is what
/// `ann` is, and what nobody has goes to the catch-all mailbox of its domain.
///
/// Both may stand before any directory. Addresses that are known as they are written come first,
/// then sub-addresses, then catch-all. Mail to a sub-address keeps it; where the address without it
/// is an alias within the domain, so does the address behind it.
///
/// ```
/// use transom_agent::{FallbackDirectory, MemoryDirectory};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = FallbackDirectory::new(MemoryDirectory::default())
///     .with_separator('+')
///     .with_catch_all(&"contoso.com".parse()?, "ann@contoso.com".parse()?);
/// # let _ = directory;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FallbackDirectory<D> {
    directory: D,
    separator: Option<char>,
    catch_all: HashMap<String, Mailbox>,
}

impl<D: Directory> FallbackDirectory<D> {
    /// Without sub-addresses and catch-all yet.
    pub fn new(directory: D) -> Self {
        Self { directory, separator: None, catch_all: HashMap::new() }
    }

    /// The same with sub-addresses behind the first `separator` of a local-part, which is `+`
    /// mostly.
    #[must_use]
    pub fn with_separator(self, separator: char) -> Self {
        Self { separator: Some(separator), ..self }
    }

    /// The same with mail to unknown addresses of `domain` going to `mailbox`. The directory must
    /// know that one.
    #[must_use]
    pub fn with_catch_all(mut self, domain: &Domain, mailbox: Mailbox) -> Self {
        self.catch_all.insert(domain_key(domain), mailbox);
        self
    }

    /// The directory behind it.
    pub fn inner(&self) -> &D {
        &self.directory
    }

    /// The address without its sub-address, and the sub-address with its separator.
    fn split(&self, mailbox: &Mailbox) -> Option<(Mailbox, String)> {
        let local_part = mailbox.local_part().as_str().to_owned();
        // In quotes the separator is a character like any other.
        let at = local_part.find(self.separator?).filter(|_| !local_part.starts_with('"'))?;
        let (base, detail) = local_part.split_at_checked(at)?;
        let base: LocalPart = base.parse().ok()?;
        Some((Mailbox::new(&base, &mailbox.host()), detail.to_owned()))
    }
}

#[async_trait]
impl<D: Directory> Directory for FallbackDirectory<D> {
    async fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        let mut answer = self.directory.lookup(mailbox).await?;
        if !answer.is_known()
            && let Some((base, detail)) = self.split(mailbox)
        {
            answer = with_detail(self.directory.lookup(&base).await?, &base, &detail);
        }
        if !answer.is_known()
            && let Host::Domain(domain) = mailbox.host()
            && let Some(catch_all) = self.catch_all.get(&domain_key(&domain))
            && key(catch_all) != key(mailbox)
        {
            answer = DirectoryEntry::alias(catch_all.clone()).into();
        }
        Ok(answer)
    }
}

/// What `base` is, with the sub-address at whom it is another name of.
fn with_detail(mut answer: DirectoryAnswer, base: &Mailbox, detail: &str) -> DirectoryAnswer {
    if let DirectoryAnswer::Entry(entry) = &mut answer
        && let RecipientKind::Alias(primary) = &mut entry.kind
        && primary.host() == base.host()
        && let Ok(local_part) = format!("{}{detail}", primary.local_part()).parse::<LocalPart>()
    {
        *primary = Mailbox::new(&local_part, &primary.host());
    }
    answer
}
