# Functions that start and stop mail servers for the interop scripts. Sourced, not run.
#
# Nothing outside of the given folder is touched: a private Postfix has its own configuration,
# queue and data folder, listens on one loopback port, and logs into its folder.

# One line and exit 0 where a program is absent; in CI absence is a failure.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 && continue
        if [ -n "${CI:-}" ]; then
            echo "FAILED: $program is not installed"
            exit 1
        fi
        echo "SKIPPED: $program is not installed"
        exit 0
    done
    if [ "$(id -u)" -ne 0 ]; then
        [ -n "${CI:-}" ] && echo "FAILED: a private Postfix needs root" && exit 1
        echo "SKIPPED: a private Postfix needs root"
        exit 0
    fi
}

# Prints COUNT loopback ports that are free now.
free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PYTHON
}

# wait_for_port PORT [SECONDS]: until somebody greets there.
wait_for_port() {
    python3 - "$1" "${2:-20}" <<'PYTHON'
import socket, sys, time
port, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            s.settimeout(5)
            if s.recv(3) == b"220":
                sys.exit(0)
    except OSError:
        pass
    time.sleep(0.1)
sys.exit(f"nobody greets on port {port}")
PYTHON
}

# postfix_configure DIR PORT [SETTING...]: writes a configuration. Mail for the domain sink.test
# goes into the Maildir DIR/mail; all else where the settings ("relayhost = ...") send it.
postfix_configure() {
    local dir=$1 port=$2
    shift 2
    mkdir -p "$dir/etc" "$dir/queue" "$dir/data" "$dir/mail"
    chmod 755 "$dir" "$dir/etc" "$dir/queue"
    chown postfix "$dir/data"
    chown nobody "$dir/mail"
    cat >"$dir/etc/main.cf" <<CONFIG
compatibility_level = 3.6
meta_directory = /etc/postfix
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/mail.log
maillog_file_prefixes = $dir
myhostname = postfix.interop.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtp_host_lookup = native
smtp_tls_security_level = may
message_size_limit = 104857600
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = sink.test
virtual_mailbox_base = $dir/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
smtpd_client_connection_count_limit = 0
CONFIG
    local setting
    for setting in "$@"; do
        echo "$setting" >>"$dir/etc/main.cf"
    done
    cat >"$dir/etc/master.cf" <<CONFIG
127.0.0.1:$port inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
CONFIG
}

# postfix_start DIR PORT: in the foreground of a job of ours; ready when it greets.
postfix_start() {
    postfix -c "$1/etc" start-fg >"$1/start.log" 2>&1 &
    echo $! >"$1/job.pid"
    wait_for_port "$2" || { cat "$1/start.log" "$1/mail.log" 2>/dev/null; return 1; }
}

# postfix_stop DIR: by the pid that its master wrote.
postfix_stop() {
    [ -f "$1/queue/pid/master.pid" ] && kill "$(tr -d ' ' <"$1/queue/pid/master.pid")" 2>/dev/null
    [ -f "$1/job.pid" ] && wait "$(cat "$1/job.pid")" 2>/dev/null
    rm -f "$1/job.pid"
}

# transport_start DIR PORT FLAG...: our own transport, as a job of ours; ready when it greets.
transport_start() {
    local dir=$1 port=$2
    shift 2
    mkdir -p "$dir"
    "$(transport_binary)" --listen "127.0.0.1:$port" --spool "$dir/spool" --log-dir "$dir/log" \
        --no-samples "$@" >"$dir/transport.log" 2>&1 &
    echo $! >"$dir/transport.pid"
    wait_for_port "$port" || { tail -20 "$dir/transport.log"; return 1; }
}

# transport_stop DIR: gracefully.
transport_stop() {
    [ -f "$1/transport.pid" ] || return 0
    kill -TERM "$(cat "$1/transport.pid")" 2>/dev/null
    wait "$(cat "$1/transport.pid")" 2>/dev/null
    rm -f "$1/transport.pid"
}

# TRANSPORT names another binary than the example of this tree.
transport_binary() {
    echo "${TRANSPORT:-${CARGO_TARGET_DIR:-$root/target}/release/examples/transport}"
}

# transport_build: once, before the first start.
transport_build() {
    [ -n "${TRANSPORT:-}" ] ||
        cargo build --release --quiet --manifest-path "$root/Cargo.toml" --example transport
}
