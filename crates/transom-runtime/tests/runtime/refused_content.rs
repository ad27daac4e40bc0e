//! A peer that refuses a content while it is still on its way.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use transom_tracking::EventId;

use crate::support::{Client, Events, Mailbox, address, node, stop, to_host};

const FROM: &str = "sender@contoso.example";

/// How much of the content the peer heard, and what was said behind it.
#[derive(Debug, Default)]
struct Heard {
    octets: usize,
    has_end: bool,
    behind: Vec<String>,
}

/// Listens with little room, so that what is not read does not leave the other side.
fn listen() -> (SocketAddr, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    (listener.local_addr().unwrap(), listener)
}

async fn say(stream: &mut BufReader<TcpStream>, words: &str) {
    stream.write_all(format!("{words}\r\n").as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// Refuses what is sent behind DATA or in the first chunk, then reads on.
async fn refuse(stream: TcpStream, offers: &str) -> Heard {
    let mut stream = BufReader::new(stream);
    let mut heard = Heard::default();
    let mut is_refused = false;
    say(&mut stream, "220 peer.example").await;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return heard;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["EHLO", ..] => say(&mut stream, offers).await,
            ["DATA"] => {
                say(&mut stream, "354 go on").await;
                let mut start = vec![0; 100_000];
                stream.read_exact(&mut start).await.unwrap();
                say(&mut stream, "552 5.3.4 too large").await;
                // The reply gets there before the rest can be read.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                heard.octets = start.len() + rest.len();
                heard.has_end = rest.ends_with(b"\r\n.\r\n");
                return heard;
            }
            ["BDAT", length, last @ ..] => {
                let mut chunk = vec![0; length.parse().unwrap()];
                stream.read_exact(&mut chunk).await.unwrap();
                heard.octets += chunk.len();
                heard.has_end |= !last.is_empty();
                let reply = if is_refused { "503 5.5.1 no" } else { "552 5.3.4 too large" };
                say(&mut stream, reply).await;
                if !std::mem::replace(&mut is_refused, true) {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
            _ => {
                if is_refused {
                    heard.behind.push(line.trim_end().to_owned());
                }
                say(&mut stream, "250 2.0.0 ok").await;
            }
        }
    }
}

/// Sends a large message to such a peer; gives what it heard and the octets of the message.
async fn send(offers: &'static str) -> (Heard, usize) {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let (at, listener) = listen();
    let (sender, heard) = oneshot::channel();
    let peer = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        drop(sender.send(refuse(stream, offers).await));
    });
    let transport = node(&events, &mailbox).send_connector(to_host(at)).start().await.unwrap();
    let content = format!("Subject: large\r\n\r\n{}", "0123456789 abcdef\r\n".repeat(450_000));
    let mut client = Client::ready(address(&transport)).await;
    let reply = client.submit(FROM, &["b@out.example"], content.as_bytes()).await;
    assert!(reply.starts_with("250"), "{reply}");
    events.wait(EventId::Fail, 1).await;
    let failed = events.statuses(EventId::Fail);
    assert!(failed[0].starts_with("<b@out.example> 552 5.3.4 too large"), "{failed:?}");
    stop(transport).await;
    let heard = heard.await.unwrap();
    peer.await.unwrap();
    (heard, content.len())
}

// [RFC 3030 §2-f] test
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_chunk_is_begun_once_one_is_refused() {
    let (heard, octets) = send("250-peer.example\r\n250-PIPELINING\r\n250 CHUNKING").await;
    assert!(heard.octets < octets && !heard.has_end, "{heard:?} of {octets}");
    assert_eq!(heard.behind, ["RSET", "QUIT"], "the session goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_is_refused_amid_it_is_not_sent_to_its_end() {
    let (heard, octets) = send("250 peer.example").await;
    assert!(heard.octets < octets && !heard.has_end, "{heard:?} of {octets}");
}
