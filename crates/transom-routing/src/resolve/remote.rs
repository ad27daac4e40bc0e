//! What remote domains do not want.

use transom_connector::{CheckedConfiguration, RemoteDomain};
use transom_message::HeaderSection;
use transom_types::{ForwardPath, Mailbox};

/// Mail that nobody wrote. A remote domain may not want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AutomaticMail {
    /// A recipient's program forwarded it.
    Forward,
    /// A recipient's program answered with it.
    Reply,
    /// A report of failure or delay that this transport made.
    FailureReport,
    /// A report of delivery, relaying or expansion that this transport made.
    SuccessReport,
}

impl AutomaticMail {
    /// What header fields say: an answer by `Auto-Submitted`, a forward by `Autoforwarded`. Reports
    /// are known by who makes them.
    pub fn of(headers: &HeaderSection<'_>) -> Option<Self> {
        let says = |name: &str, word: &str| {
            headers.first(name).is_some_and(|field| {
                let value = field.value();
                let said = value.split([';', '(']).next().unwrap_or_default().trim();
                said.eq_ignore_ascii_case(word)
            })
        };
        if says("Auto-Submitted", "auto-replied") {
            Some(Self::Reply)
        } else if says("Autoforwarded", "true") {
            Some(Self::Forward)
        } else {
            None
        }
    }

    /// Why mail of this kind is not sent to `path`, as logs name it; none where it is. Then the
    /// recipient ends without report, as removed by the remote domain.
    pub fn unwanted_at(
        self,
        configuration: &CheckedConfiguration,
        path: &ForwardPath,
    ) -> Option<&'static str> {
        let remote = remote_domain(configuration, path.mailbox()?)?;
        let (is_wanted, reason) = match self {
            Self::FailureReport => (remote.ndr, "REMOTEDOMAIN.NDREnabled"),
            Self::Forward => (remote.auto_forward, "REMOTEDOMAIN.AutoForwardEnabled"),
            Self::Reply => (remote.auto_reply, "REMOTEDOMAIN.AutoReplyEnabled"),
            Self::SuccessReport => (remote.delivery_reports, "REMOTEDOMAIN.DeliveryReportEnabled"),
        };
        (!is_wanted).then_some(reason)
    }
}

/// The settings for the domain of `mailbox`. Our own domains are not remote.
pub(super) fn remote_domain<'c>(
    configuration: &'c CheckedConfiguration,
    mailbox: &Mailbox,
) -> Option<&'c RemoteDomain> {
    let domain = mailbox.domain()?;
    match configuration.accepted_domain(&domain) {
        Some(_) => None,
        None => configuration.remote_domain(&domain),
    }
}
