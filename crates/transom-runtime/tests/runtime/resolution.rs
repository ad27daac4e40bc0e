//! A directory in whole transports: who gets the mail, who hears of failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use transom_agent::{
    Directory, DirectoryAnswer, DirectoryEntry, DirectoryUnavailable, GroupReports,
    MemoryDirectory, async_trait,
};
use transom_connector::AcceptedDomain;
use transom_queue::{MemoryOptions, MemorySpool};
use transom_tracking::EventId;
use transom_types::Mailbox as Address;

use crate::peer::Peer;
use crate::support::{
    Client, Events, Mailbox, QUIET, address, eventually, message, node, stop, submit, to_host,
};

const FROM: &str = "s@client.example";

pub(crate) fn at(address: &str) -> Address {
    address.parse().unwrap()
}

/// Mailboxes of these names at contoso.example.
pub(crate) fn mailboxes(names: &[&str]) -> MemoryDirectory {
    let directory = MemoryDirectory::default();
    names.iter().fold(directory, |all, name| {
        all.with(&at(&format!("{name}@contoso.example")), DirectoryEntry::mailbox())
    })
}

/// Who got mail, in order.
pub(crate) fn receivers(mailbox: &Mailbox) -> Vec<String> {
    let mut all: Vec<_> = mailbox.mail().into_iter().map(|(to, _)| to).collect();
    all.sort();
    all
}

// A12
#[tokio::test]
async fn each_kind_of_accepted_domain_treats_unknown_recipients_in_its_way() {
    let (events, mailbox, peer) = (Events::default(), Mailbox::default(), Peer::willing().await);
    let directory = mailboxes(&["ann"])
        .with(&at("known@inner.example"), DirectoryEntry::alias(at("ann@contoso.example")))
        .with(&at("known@partner.example"), DirectoryEntry::alias(at("ann@contoso.example")));
    let transport = node(&events, &mailbox)
        .accepted_domain(AcceptedDomain::internal_relay("inner.example").unwrap())
        .accepted_domain(AcceptedDomain::external_relay("partner.example").unwrap())
        .send_connector(to_host(peer.address))
        .directory(directory)
        .start()
        .await
        .unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "250").await;
    client.expect("RCPT TO:<nobody@contoso.example>", "550 5.1.1").await;
    client.expect("RSET", "250").await;
    drop(client);
    let to = ["known@inner.example", "other@inner.example", "known@partner.example"];
    submit(address(&transport), FROM, &to, "kinds").await;
    mailbox.read("ann@contoso.example").await;
    events.wait(EventId::Send, 1).await;
    peer.wait_taken(1).await;
    let mut rcpt = peer.taken()[0].rcpt.clone();
    rcpt.sort();
    assert!(rcpt[0].contains("<known@partner.example>"), "{rcpt:?}");
    assert!(rcpt[1].contains("<other@inner.example>"), "{rcpt:?}");
    assert_eq!((rcpt.len(), receivers(&mailbox).len()), (2, 1));
    assert_eq!(events.count(EventId::Resolve), 1);
    stop(transport).await;
}

// A13
#[tokio::test]
async fn groups_are_followed_once_and_their_owner_hears_of_failures() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let forwarding = |to: &str| DirectoryEntry::forwarding(at(to), false);
    let inner = ["bob@contoso.example", "sales@contoso.example"].map(at);
    let sales = [
        "ann@contoso.example",
        "inner@contoso.example",
        "round@contoso.example",
        "ghost@contoso.example",
    ];
    let owner = GroupReports::Owner(at("owner@contoso.example"));
    let directory = mailboxes(&["ann", "bob", "owner"])
        .with(&at("inner@contoso.example"), DirectoryEntry::group(inner))
        .with(&at("round@contoso.example"), forwarding("about@contoso.example"))
        .with(&at("about@contoso.example"), forwarding("round@contoso.example"))
        .with(
            &at("sales@contoso.example"),
            DirectoryEntry::group(sales.map(at)).with_reports(owner),
        );
    let transport = node(&events, &mailbox).directory(directory).start().await.unwrap();
    let to = ["sales@contoso.example", "ann@contoso.example"];
    submit(address(&transport), FROM, &to, "group").await;
    mailbox.read("bob@contoso.example").await;
    let report = mailbox.read("owner@contoso.example").await;
    assert!(report.contains("RESOLVER.FWD.Loop"), "{report}");
    assert!(report.contains("rfc822; ghost@contoso.example"), "{report}");
    assert!(report.contains("RESOLVER.ADR.RecipNotFound"), "{report}");
    events.wait(EventId::Deliver, 3).await;
    tokio::time::sleep(QUIET).await;
    let all = ["ann@contoso.example", "bob@contoso.example", "owner@contoso.example"];
    assert_eq!(receivers(&mailbox), all);
    assert_eq!(events.count(EventId::Dsn), 1);
    assert_eq!((events.count(EventId::Expand), events.statuses(EventId::Fail).len()), (2, 2));
    stop(transport).await;
}

#[tokio::test]
async fn forwarding_goes_to_both_where_a_copy_is_kept() {
    let (events, mailbox, peer) = (Events::default(), Mailbox::default(), Peer::willing().await);
    let forwarding = |keep| DirectoryEntry::forwarding(at("far@out.example"), keep);
    let directory = mailboxes(&[])
        .with(&at("both@contoso.example"), forwarding(true))
        .with(&at("gone@contoso.example"), forwarding(false));
    let transport = node(&events, &mailbox)
        .send_connector(to_host(peer.address))
        .directory(directory)
        .start()
        .await
        .unwrap();
    submit(address(&transport), FROM, &["both@contoso.example"], "kept").await;
    assert!(mailbox.read("both@contoso.example").await.contains("kept"));
    peer.wait_taken(1).await;
    submit(address(&transport), FROM, &["gone@contoso.example"], "gone").await;
    peer.wait_taken(2).await;
    let taken = peer.taken();
    let original = taken.iter().all(|taken| taken.mail.contains(FROM));
    assert!(original && taken.iter().all(|taken| taken.rcpt[0].contains("far@out.example")));
    events.wait(EventId::Send, 2).await;
    assert_eq!(receivers(&mailbox), ["both@contoso.example"]);
    stop(transport).await;
}

/// Answers so often, and then no more.
struct Tired {
    directory: MemoryDirectory,
    left: Arc<AtomicUsize>,
}

#[async_trait]
impl Directory for Tired {
    async fn lookup(&self, mailbox: &Address) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match left {
            Ok(_) => self.directory.lookup(mailbox).await,
            Err(_) => Err(DirectoryUnavailable::new("on purpose")),
        }
    }
}

#[tokio::test]
async fn directory_in_trouble_puts_mail_off_and_bounces_none() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let spool = Arc::new(MemorySpool::new(MemoryOptions::default()));
    let members = ["ann@contoso.example", "bob@contoso.example"].map(at);
    let directory = mailboxes(&["ann", "bob"])
        .with(&at("sales@contoso.example"), DirectoryEntry::group(members));
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let tired = Tired { directory: directory.clone(), left: Arc::clone(&left) };
    let store = Arc::<MemorySpool>::clone(&spool);
    let transport = node(&events, &mailbox).store(store).directory(tired).start().await.unwrap();
    let mut client = Client::ready(address(&transport)).await;
    client.expect(&format!("MAIL FROM:<{FROM}>"), "250").await;
    client.expect("RCPT TO:<sales@contoso.example>", "250").await;
    client.expect("DATA", "354").await;
    left.store(0, Ordering::SeqCst);
    client.write(&message("put-off")).await;
    client.expect(".", "250 2.6.0").await;
    tokio::time::sleep(QUIET).await;
    assert!(mailbox.mail().is_empty());
    assert_eq!((events.count(EventId::Fail), events.count(EventId::Dsn)), (0, 0));
    drop(client);
    stop(transport).await;
    // The next start finds it as it was.
    let transport = node(&events, &mailbox).store(spool).directory(directory).start().await;
    let transport = transport.unwrap();
    eventually("both have it", async || receivers(&mailbox).len() == 2).await;
    events.wait(EventId::Deliver, 1).await;
    stop(transport).await;
}
