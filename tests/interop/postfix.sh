#!/usr/bin/env bash
# Interop with a real Postfix, 200 messages each way, compared octet for octet:
#   control  client -> Postfix -> its Maildir (shows that the comparison itself is true)
#   inbound  client -> Postfix -> transom -> Maildir
#   outbound client -> transom -> Postfix -> its Maildir
# Usage: postfix.sh [control|inbound|outbound ...]; all three when none is named.
# Visible skip where Postfix is absent; in CI that is a failure.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/servers.sh"
need postfix python3
count=${INTEROP_COUNT:-200}
work=$(mktemp -d /tmp/transom-interop.XXXXXX)
chmod 755 "$work"
read -r postfix_port transport_port <<<"$(free_ports 2)"

finish() {
    transport_stop "$work/inbound"
    transport_stop "$work/outbound"
    postfix_stop "$work/postfix"
    [ -n "${INTEROP_KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "FAILED: $1"
    tail -5 "$work"/postfix/mail.log "$work"/*/transport.log 2>/dev/null
    exit 1
}

send() { python3 "$here/messages.py" send --port "$1" --recipient "$2" --count "$count"; }
check() { python3 "$here/messages.py" check --maildir "$1" --recipient "$2" --count "$count"; }

control() {
    send "$postfix_port" user@sink.test && check "$work/postfix/mail" user@sink.test
}

inbound() {
    transport_start "$work/inbound" "$transport_port" --accepted-domain example.test \
        --mail "$work/inbound/mail" &&
        send "$postfix_port" user@example.test &&
        check "$work/inbound/mail" user@example.test &&
        transport_stop "$work/inbound"
}

outbound() {
    rm -rf "$work/postfix/mail/"*
    transport_start "$work/outbound" "$transport_port" --relay-domain sink.test \
        --smart-host "127.0.0.1:$postfix_port" --relay-from 127.0.0.1/32 &&
        send "$transport_port" user@sink.test &&
        check "$work/postfix/mail" user@sink.test &&
        transport_stop "$work/outbound"
}

[ $# -gt 0 ] || set -- control inbound outbound
case " $* " in *bound*) transport_build || fail "the transport does not build" ;; esac
postfix_configure "$work/postfix" "$postfix_port" "relayhost = [127.0.0.1]:$transport_port"
postfix_start "$work/postfix" "$postfix_port" || fail "Postfix does not start"
for test in "$@"; do
    began=$SECONDS
    echo "-- $test"
    "$test" || fail "$test"
    echo "-- $test passed ($((SECONDS - began)) s)"
done
