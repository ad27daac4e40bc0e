//! How often something may happen: counts by the minute, in bounded memory and without a clock of
//! its own.
//!
//! A rate of *n* a minute lets *n* pass at once and then one every 60/*n* seconds. What is refused
//! is not counted, so who tries again and again gets what is its due all the same.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use transom_types::{ConnectorId, Principal};

use super::{MessageRateSource, ReceiveConnector, Refusal, ServiceLimits};

const MINUTE: Duration = Duration::from_mins(1);

/// When one more fits behind what has passed already: `paid_at` is when that is paid off, and the
/// answer when it will be with one more.
fn charge(paid_at: Option<Instant>, now: Instant, per_minute: u32) -> Option<Instant> {
    let interval = MINUTE.checked_div(per_minute)?;
    let paid_at = paid_at.map_or(now, |paid_at| paid_at.max(now));
    let debt = paid_at.saturating_duration_since(now).saturating_add(interval);
    // Division rounds down, so a minute holds all that it should.
    if debt <= MINUTE { paid_at.checked_add(interval) } else { None }
}

/// How many connections the service has let in of late: [`ServiceLimits::connection_rate_max`].
#[derive(Clone, Debug, Default)]
pub struct ConnectionRate {
    paid_at: Option<Instant>,
}

impl ConnectionRate {
    /// Counts one more connection.
    ///
    /// # Errors
    ///
    /// [`Refusal::ConnectionRate`], the reply to the connection, which then is not counted.
    pub fn accepts_connection(
        &mut self,
        now: Instant,
        limits: &ServiceLimits,
        peer: IpAddr,
    ) -> Result<(), Refusal> {
        let Some(max) = limits.connection_rate_max_for(peer) else { return Ok(()) };
        self.paid_at = Some(charge(self.paid_at, now, max).ok_or(Refusal::ConnectionRate)?);
        Ok(())
    }
}

/// How many messages each source has sent of late: [`ReceiveLimits::message_rate_max`].
///
/// ```
/// use std::time::{Duration, Instant};
/// use transom_connector::{MessageRates, ReceiveConnector};
///
/// let connector = ReceiveConnector::client("0.0.0.0:587".parse()?);
/// let (mut rates, now) = (MessageRates::default(), Instant::now());
/// let peer = "192.0.2.7".parse()?;
/// let mut mail = |now| rates.accepts_message(now, &connector, peer, None).is_ok();
/// assert_eq!([(); 6].map(|()| mail(now)), [true, true, true, true, true, false]);
/// assert!(mail(now + Duration::from_secs(12)));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// [`ReceiveLimits::message_rate_max`]: crate::ReceiveLimits::message_rate_max
#[derive(Clone, Debug)]
pub struct MessageRates {
    sources_max: usize,
    paid_at: HashMap<Source, Instant>,
    /// The same by time, so that who owes least is found at once.
    order: BTreeSet<(Instant, Source)>,
}

/// Who is counted, at which connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Source {
    connector: ConnectorId,
    who: Who,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Who {
    Address(IpAddr),
    User(Principal),
}

impl Default for MessageRates {
    /// Of at most [`MessageRates::SOURCES_MAX`] sources.
    fn default() -> Self {
        Self::new(Self::SOURCES_MAX)
    }
}

impl MessageRates {
    /// How many sources are remembered by default: some 10 MiB.
    pub const SOURCES_MAX: usize = 65_536;

    /// Remembers `sources_max` sources. A source is forgotten once what it has sent is paid off,
    /// and before that only where there are more: who owes least goes first.
    pub fn new(sources_max: usize) -> Self {
        Self { sources_max: sources_max.max(2), paid_at: HashMap::new(), order: BTreeSet::new() }
    }

    /// Counts one more message of this session.
    ///
    /// # Errors
    ///
    /// [`Refusal::MessageRate`], the reply to MAIL FROM, which then is not counted.
    pub fn accepts_message(
        &mut self,
        now: Instant,
        connector: &ReceiveConnector,
        peer: IpAddr,
        user: Option<&Principal>,
    ) -> Result<(), Refusal> {
        let Some(max) = connector.limits.message_rate_max else { return Ok(()) };
        let source = |who| Source { connector: connector.name.clone(), who };
        let address = || source(Who::Address(peer.to_canonical()));
        let user = user.map(|user| source(Who::User(user.clone())));
        let (first, second) = match connector.limits.message_rate_source {
            MessageRateSource::None => return Ok(()),
            MessageRateSource::IpAddress => (address(), None),
            MessageRateSource::User => (user.unwrap_or_else(address), None),
            MessageRateSource::All => (address(), user),
        };
        let charge = |source: &Source| charge(self.paid_at.get(source).copied(), now, max);
        // Nobody is counted where one of the two is over its limit.
        let first_paid = charge(&first).ok_or(Refusal::MessageRate)?;
        let second = match second {
            Some(second) => Some((charge(&second).ok_or(Refusal::MessageRate)?, second)),
            None => None,
        };
        self.remember(now, first, first_paid);
        if let Some((paid_at, second)) = second {
            self.remember(now, second, paid_at);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn sources(&self) -> usize {
        assert_eq!(self.paid_at.len(), self.order.len());
        self.paid_at.len()
    }

    fn remember(&mut self, now: Instant, source: Source, paid_at: Instant) {
        if let Some(before) = self.paid_at.insert(source.clone(), paid_at) {
            self.order.remove(&(before, source.clone()));
        }
        self.order.insert((paid_at, source));
        while let Some((least, _)) = self.order.first() {
            if *least > now && self.paid_at.len() <= self.sources_max {
                break;
            }
            if let Some((_, source)) = self.order.pop_first() {
                self.paid_at.remove(&source);
            }
        }
    }
}
