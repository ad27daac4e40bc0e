//! Asking the directory about the recipients of a message.

use std::time::Duration;

use futures::future::join_all;
use transom_agent::{Directory, DirectoryAnswer, DirectoryUnavailable};
use transom_connector::{CheckedConfiguration, PrincipalKind};
use transom_queue::{Accepted, IngressKind};
use transom_routing::resolve::{Answers, Resolution, Resolved, Step};
use transom_types::{ConnectorId, Mailbox, Recipient, ReversePath};

/// How long the directory may take for one address: far longer than it should, so that only one in
/// trouble puts mail off.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses that are asked about at once: a directory behind a network is asked in few rounds,
/// and not flooded.
const LOOKUPS_AT_ONCE: usize = 16;

/// What becomes of `recipients`. `already` got the message before.
pub(super) async fn resolve(
    directory: &dyn Directory,
    configuration: &CheckedConfiguration,
    message: &Accepted,
    sender: &ReversePath,
    recipients: &[Recipient],
    already: &[Mailbox],
) -> Resolved {
    let resolution = Resolution::new(configuration, sender)
        .with_authenticated(is_authenticated(configuration, message))
        .with_system(message.ingress.kind == IngressKind::Dsn)
        .with_size(message.facts.octets)
        .with_already(already);
    let mut answers = Answers::default();
    loop {
        let missing = match resolution.resolve(recipients, &answers) {
            Step::Done(resolved) => return resolved,
            Step::Lookup(missing) => missing,
        };
        for some in missing.chunks(LOOKUPS_AT_ONCE) {
            let asked = some.iter().map(|mailbox| look_up(directory, mailbox));
            for (mailbox, answer) in some.iter().zip(join_all(asked).await) {
                answers.insert(mailbox, answer);
            }
        }
    }
}

async fn look_up(
    directory: &dyn Directory,
    mailbox: &Mailbox,
) -> Result<DirectoryAnswer, DirectoryUnavailable> {
    match tokio::time::timeout(LOOKUP_TIMEOUT, directory.lookup(mailbox)).await {
        Ok(answer) => answer,
        Err(_) => Err(DirectoryUnavailable::new("no answer in time")),
    }
}

/// Whether the sender was known when the message came in.
fn is_authenticated(configuration: &CheckedConfiguration, message: &Accepted) -> bool {
    let ingress = &message.ingress;
    let by_name = ingress.identity.is_some();
    let connector = configuration.receive_connector(&ConnectorId::new(&ingress.connector));
    let kind = connector.map(|connector| connector.principal_kind(by_name, &[""; 0]));
    let vouched_for = kind.is_some_and(|kind| kind != PrincipalKind::Anonymous);
    by_name || vouched_for || ingress.kind == IngressKind::Program
}
