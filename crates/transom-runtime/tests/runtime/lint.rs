//! Errors that lint finds keep a transport from starting.

use transom_connector::{LintRule, ReceiveConnector, RemoteRange};
use transom_runtime::StartError;

use crate::support::{Events, anywhere, bare, stop};

#[tokio::test]
async fn an_open_relay_does_not_start_unless_it_is_meant() {
    // The front end on this host brings strangers.
    let front_end: RemoteRange = "127.0.0.1".parse().unwrap();
    let open = ReceiveConnector::relay(anywhere(), vec![RemoteRange::ALL_V4])
        .with_proxy_networks(vec![front_end]);
    let events = Events::default();
    let error = bare(&events).receive_connector(open.clone()).start().await.unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("receive connector \"Relay 127.0.0.1:0\", remote_ranges: "), "{told}");
    let StartError::Lint(findings) = error else { panic!("{told}") };
    assert_eq!(findings.iter().map(|one| one.rule).collect::<Vec<_>>(), [LintRule::OpenRelay]);
    let meant = bare(&events).receive_connector(open.danger_open_relay(true)).start().await;
    stop(meant.unwrap()).await;
}
