#!/usr/bin/env bash
# Interop with a real Exim, 50 messages a test, compared octet for octet:
#   outbound client -> transom -> Exim by STARTTLS, PIPELINING and CHUNKING -> its Maildirs
#   basic    the same without these extensions
#   inbound  client -> Exim -> transom by STARTTLS and CHUNKING -> Maildir
# Outbound some messages have a second recipient, whom Exim refuses; the reports about it go back
# to the sender through Exim.
# Usage: exim.sh [outbound|basic|inbound ...]; all three when none is named.
# Visible skip where there is no such package; in CI that is a failure.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
need apt-get dpkg-deb python3
interop_begin 50
read -r exim_port transport_port <<<"$(free_ports 2)"
exim=$work/exim

# exim_configure HOSTS: to whom the extensions are offered.
exim_configure() {
    mkdir -p "$exim/etc/exim4" "$exim/spool" "$exim/log"
    chown 64901:64901 "$exim/spool" "$exim/log"
    # Only the file that is compiled in leaves Exim its rights.
    cat >"$exim/etc/exim4/exim4.conf" <<CONFIG
primary_hostname = exim.interop.test
keep_environment =
spool_directory = /spool
log_file_path = /log/%slog
log_selector = +all
local_interfaces = 127.0.0.1
daemon_smtp_ports = $exim_port
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
message_size_limit = 100M
host_lookup =
chunking_advertise_hosts = $1
pipelining_advertise_hosts = $1
tls_advertise_hosts = $1
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny
    local_parts = nobody
    message = User unknown
  accept
begin routers
local:
  driver = accept
  domains = sink.test : interop.test
  transport = maildir
rest:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = transom
begin transports
maildir:
  driver = appendfile
  directory = /mail/\$domain_data
  maildir_format
  user = nobody
  group = nogroup
transom:
  driver = smtp
  port = $transport_port
  hosts_require_tls = *
begin retry
* * F,1h,2s
CONFIG
}

# exim_start HOSTS: afresh.
exim_start() {
    rm -rf "$exim/mail/"* "$exim/log/"*
    exim_configure "$1"
    unpacked_start "$exim" "$exim_port" /usr/sbin/exim4 -bdf -q5s
}

# logged PATTERN: Exim has seen this.
logged() { grep -q -e "$1" "$exim/log/mainlog" || fail "Exim has not logged $1"; }
never_logged() { ! grep -e "$1" "$exim/log/mainlog" || fail "Exim has logged $1"; }

to_exim() {
    transport_start "$work/$1" "$transport_port" --relay-domain sink.test \
        --smart-host "127.0.0.1:$exim_port" --relay-from 127.0.0.1/32 &&
        send "$transport_port" --recipient user@sink.test --refused nobody@sink.test &&
        check "$exim/mail/sink.test" user@sink.test &&
        reports "$exim/mail/interop.test" nobody@sink.test &&
        transport_stop "$work/$1"
}

outbound() {
    exim_start '*' && to_exim outbound || return 1
    logged ' <= .*P=esmtps .*X=TLS1.* K '
    logged ' rejected RCPT <nobody@sink.test>'
    unpacked_stop "$exim"
}

basic() {
    exim_start '' && to_exim basic || return 1
    logged ' <= .*P=esmtp '
    never_logged ' <= .*\(X=TLS\| K \)'
    unpacked_stop "$exim"
}

inbound() {
    transport_start "$work/inbound" "$transport_port" --accepted-domain example.test \
        --mail "$work/inbound/mail" && exim_start '*' &&
        send "$exim_port" --recipient user@example.test &&
        check "$work/inbound/mail" user@example.test || return 1
    logged ' => user@example.test .*X=TLS1.* K '
    unpacked_stop "$exim"
    transport_stop "$work/inbound"
}

[ $# -gt 0 ] || set -- outbound basic inbound
unpack_server "$exim" exim4-daemon-light exim4-base || fail "Exim cannot be unpacked"
unpacked_user "$exim" Debian-exim 64901
transport_build || fail "the transport does not build"
run_tests "$@"
