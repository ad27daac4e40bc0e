#!/usr/bin/env bash
# Interop with a real OpenSMTPD, 50 messages a test, compared octet for octet:
#   outbound client -> transom -> OpenSMTPD -> its Maildirs
#   inbound  client -> OpenSMTPD -> transom -> Maildir
# Outbound some messages have a second recipient, whom OpenSMTPD refuses; the reports about it go
# back to the sender through OpenSMTPD. All is in the clear: Debian's OpenSMTPD fails in every TLS
# handshake. It offers neither PIPELINING nor CHUNKING.
# Usage: opensmtpd.sh [outbound|inbound ...]; both when none is named.
# Visible skip where there is no such package; in CI that is a failure.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
need apt-get dpkg-deb python3
interop_begin 50
read -r smtpd_port transport_port <<<"$(free_ports 2)"
smtpd=$work/opensmtpd

smtpd_configure() {
    mkdir -p "$smtpd/var/lib/opensmtpd/empty" "$smtpd/var/spool"
    cat >"$smtpd/etc/smtpd.conf" <<CONFIG
table users { "user" = "$(id -u nobody):$(id -g nobody):/mail/sink.test", \
              "sender" = "$(id -u nobody):$(id -g nobody):/mail/interop.test" }
table mailboxes { "user@sink.test" = "user", "sender@interop.test" = "sender" }
table known { "user@sink.test", "sender@interop.test" }
table domains { "sink.test", "interop.test" }
smtp max-message-size 100M
listen on 127.0.0.1 port $smtpd_port hostname opensmtpd.interop.test
action "keep" maildir "/mail/%{rcpt.domain}" virtual <mailboxes> userbase <users>
action "relay" relay host smtp+notls://127.0.0.1:$transport_port
match from any for domain <domains> rcpt-to <known> action "keep"
match from any for domain "example.test" action "relay"
CONFIG
}

outbound() {
    transport_start "$work/outbound" "$transport_port" --relay-domain sink.test \
        --smart-host "127.0.0.1:$smtpd_port" --relay-from 127.0.0.1/32 &&
        send "$transport_port" --recipient user@sink.test --refused nobody@sink.test &&
        check "$smtpd/mail/sink.test" user@sink.test &&
        reports "$smtpd/mail/interop.test" nobody@sink.test &&
        transport_stop "$work/outbound"
}

inbound() {
    transport_start "$work/inbound" "$transport_port" --accepted-domain example.test \
        --mail "$work/inbound/mail" &&
        send "$smtpd_port" --recipient user@example.test &&
        check "$work/inbound/mail" user@example.test &&
        transport_stop "$work/inbound"
}

[ $# -gt 0 ] || set -- outbound inbound
unpack_server "$smtpd" opensmtpd || fail "OpenSMTPD cannot be unpacked"
unpacked_user "$smtpd" opensmtpd 64902
unpacked_user "$smtpd" opensmtpq 64903
smtpd_configure
transport_build || fail "the transport does not build"
unpacked_start "$smtpd" "$smtpd_port" /usr/sbin/smtpd -d -f /etc/smtpd.conf ||
    fail "OpenSMTPD does not start"
run_tests "$@"
