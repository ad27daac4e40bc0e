//! Messages to test with, made from a number.

use std::time::{Duration, SystemTime};

use transom_types::{
    AttemptStage, BodyType, EnhancedStatusCode, Envelope, ForwardPath, InternetMessageId,
    MailParameters, NetworkMessageId, Notify, Outcome, Recipient, Reply, ReplyCode, Ret,
    ReversePath, SessionId, Status,
};

use super::Rng;
use crate::message::{Accepted, ContentFacts, Ingress, IngressKind};

/// A message with `recipients` recipients and a body of `octets` octets. The same numbers give the
/// same message; every field that can hold something does in some of them.
pub fn sample_message(number: u64, recipients: u32, octets: u64) -> Accepted {
    let odd = number % 2 == 1;
    let smtp = number % 3 != 2;
    let mut parameters = MailParameters::default();
    parameters.body = if odd { BodyType::EightBitMime } else { BodyType::SevenBit };
    parameters.envelope_id = "QQ314159".parse().ok().filter(|_| odd);
    parameters.ret = odd.then_some(Ret::Headers);
    parameters.size = odd.then_some(octets);
    parameters.smtputf8 = number % 5 == 3;
    let sender = format!("<sender{number}@contoso.com>").parse();
    Accepted {
        network_id: NetworkMessageId(u128::from(number) << 64 | 0xfeed),
        parent: None,
        received_at: time(number),
        ingress: Ingress {
            kind: if smtp { IngressKind::Smtp } else { IngressKind::Dsn },
            connector: "Default Frontend".into(),
            peer: smtp.then(|| ([192, 0, 2, 7], 2_500).into()),
            helo: smtp.then(|| "client.example.net".into()),
            identity: odd.then(|| "alice".into()),
            tls: odd.then(|| "TLSv1.3 TLS_AES_128_GCM_SHA256".into()),
            session: smtp.then_some(SessionId(number)),
        },
        envelope: Envelope {
            reverse_path: sender.ok().filter(|_| smtp).unwrap_or(ReversePath::Null),
            parameters,
            recipients: (0..recipients).map(|place| recipient(number, place)).collect(),
        },
        facts: ContentFacts {
            octets,
            header_octets: octets.min(120),
            eight_bit: odd,
            line_octets_max: 78,
            received_count: 2,
            own_received_count: 1,
            message_id: format!("<{number}@contoso.com>").parse::<InternetMessageId>().ok(),
            subject: odd.then(|| format!("Message {number}")),
        },
    }
}

fn recipient(number: u64, place: u32) -> Recipient {
    let path = format!("<user{place}.of{number}@fabrikam.com>").parse::<ForwardPath>();
    let mut recipient = Recipient::from(path.unwrap_or(ForwardPath::Postmaster));
    if place % 2 == 1 {
        recipient.parameters.notify = "SUCCESS,FAILURE".parse::<Notify>().ok();
        recipient.parameters.original_recipient = "rfc822;first@fabrikam.com".parse().ok();
    }
    recipient
}

/// A body of so many octets, different for every number and never all zeros.
pub fn sample_body(number: u64, octets: usize) -> Vec<u8> {
    let mut rng = Rng::new(number);
    let mut body = Vec::with_capacity(octets + 8);
    while body.len() < octets {
        body.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    body.truncate(octets);
    body
}

/// A deferral, as a peer's 4yz reply makes it.
pub fn sample_deferred(number: u64) -> Outcome {
    Outcome::Deferred(status(ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(3, 0), number))
}

/// A failure, as a peer's 5yz reply makes it.
pub fn sample_failed(number: u64) -> Outcome {
    let code = ReplyCode::MAILBOX_UNAVAILABLE;
    Outcome::Failed(status(code, EnhancedStatusCode::permanent(1, 1), number))
}

/// A delivery.
pub fn sample_delivered(number: u64) -> Outcome {
    Outcome::Delivered(status(ReplyCode::OK, EnhancedStatusCode::success(6, 0), number))
}

fn status(code: ReplyCode, enhanced: EnhancedStatusCode, number: u64) -> Status {
    Status::local(AttemptStage::EndOfData, Reply::new(code, enhanced, format!("reply {number}")))
}

/// A moment in whole seconds.
pub(super) fn time(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number)
}
