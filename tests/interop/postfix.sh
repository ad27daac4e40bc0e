#!/usr/bin/env bash
# Interop with a real Postfix, 200 messages each way, compared octet for octet:
#   control  client -> Postfix -> its Maildir (shows that the comparison itself is true)
#   inbound  client -> Postfix -> transom -> Maildir
#   outbound client -> transom -> Postfix -> its Maildir
# Usage: postfix.sh [control|inbound|outbound ...]; all three when none is named.
# Visible skip where Postfix is absent; in CI that is a failure.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
need postfix python3
interop_begin 200
read -r postfix_port transport_port <<<"$(free_ports 2)"

control() {
    send "$postfix_port" --recipient user@sink.test && check "$work/postfix/mail" user@sink.test
}

inbound() {
    transport_start "$work/inbound" "$transport_port" --accepted-domain example.test \
        --mail "$work/inbound/mail" &&
        send "$postfix_port" --recipient user@example.test &&
        check "$work/inbound/mail" user@example.test &&
        transport_stop "$work/inbound"
}

outbound() {
    rm -rf "$work/postfix/mail/"*
    transport_start "$work/outbound" "$transport_port" --relay-domain sink.test \
        --smart-host "127.0.0.1:$postfix_port" --relay-from 127.0.0.1/32 &&
        send "$transport_port" --recipient user@sink.test &&
        check "$work/postfix/mail" user@sink.test &&
        transport_stop "$work/outbound"
}

[ $# -gt 0 ] || set -- control inbound outbound
case " $* " in *bound*) transport_build || fail "the transport does not build" ;; esac
postfix_configure "$work/postfix" "$postfix_port" "relayhost = [127.0.0.1]:$transport_port"
postfix_start "$work/postfix" "$postfix_port" || fail "Postfix does not start"
run_tests "$@"
