//! The adapter to hickory against a name server on loopback that speaks real DNS messages.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, TXT};
use hickory_proto::rr::{Name, RData, Record as WireRecord, RecordType};
use tokio::net::UdpSocket;

use crate::{DnsFailure, DomainName, HickoryResolver, Record, RecordKind, Resolver};

/// What the server does with a question.
enum Behaviour {
    Answer(Vec<WireRecord>),
    Code(ResponseCode),
    Silence,
}

fn behaviour(name: &str, kind: RecordType) -> Behaviour {
    let record = |data| WireRecord::from_rdata(Name::from_ascii(name).unwrap(), 120, data);
    let at = |owner: &str, data| WireRecord::from_rdata(Name::from_ascii(owner).unwrap(), 60, data);
    let mx = |preference, host: &str| {
        record(RData::MX(MX::new(preference, Name::from_ascii(host).unwrap())))
    };
    match (name, kind) {
        ("contoso.com.", RecordType::MX) => {
            Behaviour::Answer(vec![mx(20, "MX2.contoso.com."), mx(10, "mx1.contoso.com.")])
        }
        ("contoso.com.", RecordType::A) => {
            Behaviour::Answer(vec![record(RData::A(A(Ipv4Addr::new(192, 0, 2, 1))))])
        }
        ("contoso.com.", RecordType::AAAA) => {
            Behaviour::Answer(vec![record(RData::AAAA(AAAA("2001:db8::1".parse().unwrap())))])
        }
        ("contoso.com.", RecordType::TXT) => {
            let txt = TXT::new(vec!["v=spf1 ".into(), "-all".into()]);
            Behaviour::Answer(vec![record(RData::TXT(txt))])
        }
        ("null.example.", RecordType::MX) => Behaviour::Answer(vec![mx(0, ".")]),
        ("odd.example.", RecordType::MX) => {
            let host = Name::from_labels([b"a\0b".as_slice(), b"example"]).unwrap();
            Behaviour::Answer(vec![record(RData::MX(MX::new(0, host)))])
        }
        ("alias.example.", RecordType::A) => Behaviour::Answer(vec![
            record(RData::CNAME(CNAME(Name::from_ascii("host.example.").unwrap()))),
            at("host.example.", RData::A(A(Ipv4Addr::new(192, 0, 2, 7)))),
        ]),
        ("alias.example.", RecordType::CNAME) => {
            let host = Name::from_ascii("host.example.").unwrap();
            Behaviour::Answer(vec![record(RData::CNAME(CNAME(host)))])
        }
        ("servfail.example.", _) => Behaviour::Code(ResponseCode::ServFail),
        ("refused.example.", _) => Behaviour::Code(ResponseCode::Refused),
        ("nxdomain.example.", _) => Behaviour::Code(ResponseCode::NXDomain),
        ("silent.example.", _) => Behaviour::Silence,
        _ => Behaviour::Answer(Vec::new()),
    }
}

fn reply(question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().to_ascii_lowercase();
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    match behaviour(&name, query.query_type()) {
        Behaviour::Answer(records) => {
            reply.add_answers(records);
        }
        Behaviour::Code(code) => reply.metadata.response_code = code,
        Behaviour::Silence => return None,
    }
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply.add_query(query);
    reply.to_vec().ok()
}

/// A resolver that asks a name server of our own.
async fn resolver() -> HickoryResolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let Ok((octets, peer)) = socket.recv_from(&mut buffer).await else { return };
            if let Some(reply) = reply(&buffer[..octets]) {
                socket.send_to(&reply, peer).await.unwrap();
            }
        }
    });
    HickoryResolver::with_servers(&[address]).unwrap()
}

async fn ask(
    resolver: &HickoryResolver,
    name: &str,
    kind: RecordKind,
) -> Result<Vec<Record>, DnsFailure> {
    let name: DomainName = name.parse().unwrap();
    resolver.lookup(&name, kind).await.map(|answer| answer.records)
}

#[tokio::test]
async fn answers_are_translated() {
    let resolver = resolver().await;
    let mx =
        |preference, exchange: &str| Record::Mx { preference, exchange: exchange.parse().unwrap() };
    let both = vec![mx(20, "mx2.contoso.com"), mx(10, "mx1.contoso.com")];
    assert_eq!(ask(&resolver, "contoso.com", RecordKind::Mx).await, Ok(both));
    let a = Record::A(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(ask(&resolver, "Contoso.com.", RecordKind::A).await, Ok(vec![a]));
    let aaaa = Record::Aaaa("2001:db8::1".parse().unwrap());
    assert_eq!(ask(&resolver, "contoso.com", RecordKind::Aaaa).await, Ok(vec![aaaa]));
    let txt = Record::Txt(b"v=spf1 -all".as_slice().into());
    assert_eq!(ask(&resolver, "contoso.com", RecordKind::Txt).await, Ok(vec![txt]));
    assert_eq!(ask(&resolver, "null.example", RecordKind::Mx).await, Ok(vec![mx(0, ".")]));
}

#[tokio::test]
async fn the_ttl_is_that_of_the_record_that_dies_first() {
    let resolver = resolver().await;
    let answer = resolver.lookup(&"alias.example".parse().unwrap(), RecordKind::A).await.unwrap();
    assert!(answer.ttl <= Duration::from_mins(1) && answer.ttl > Duration::from_secs(50));
}

#[tokio::test]
async fn aliases_are_followed_and_left_out() {
    let resolver = resolver().await;
    let a = Record::A(Ipv4Addr::new(192, 0, 2, 7));
    assert_eq!(ask(&resolver, "alias.example", RecordKind::A).await, Ok(vec![a]));
    let cname = Record::Cname("host.example".parse().unwrap());
    assert_eq!(ask(&resolver, "alias.example", RecordKind::Cname).await, Ok(vec![cname]));
}

#[tokio::test]
async fn failures_are_translated() {
    let resolver = resolver().await;
    for (name, failure) in [
        ("nxdomain.example", DnsFailure::NxDomain),
        ("nodata.example", DnsFailure::NoData),
        ("servfail.example", DnsFailure::ServFail),
        ("refused.example", DnsFailure::Refused),
        ("odd.example", DnsFailure::ServFail),
    ] {
        assert_eq!(ask(&resolver, name, RecordKind::Mx).await, Err(failure), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_timeout() {
    let resolver = resolver().await;
    let failure = ask(&resolver, "silent.example", RecordKind::Mx).await;
    assert_eq!(failure, Err(DnsFailure::Timeout));
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_temporary() {
    // The port was ours a moment ago, and nobody listens there now.
    let address = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let resolver = HickoryResolver::with_servers(&[address]).unwrap();
    let failure = ask(&resolver, "contoso.com", RecordKind::Mx).await.unwrap_err();
    assert!(failure.is_temporary(), "{failure}");
}

#[tokio::test]
async fn it_serves_as_a_shared_resolver() {
    let resolver = resolver().await;
    let shared: Arc<dyn Resolver> = Arc::new(resolver);
    let other = Arc::clone(&shared);
    let task = tokio::spawn(async move {
        other.lookup(&"contoso.com".parse().unwrap(), RecordKind::A).await.is_ok()
    });
    assert!(task.await.unwrap());
}
