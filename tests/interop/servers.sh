# What the interop scripts share: mail servers to start and stop, and the tests to run with them.
# Sourced, not run; the script has set $here, this folder.
#
# Nothing outside of a temporary folder is touched: a private server has its own configuration,
# queue and data folder, listens on one loopback port, and logs into its folder.
root=$(cd "$here/../.." && pwd)

# interop_begin COUNT: makes the folder $work; at the end of the script what runs is stopped and the
# folder removed. COUNT messages are sent each way, unless INTEROP_COUNT says otherwise.
interop_begin() {
    count=${INTEROP_COUNT:-$1}
    work=$(mktemp -d /tmp/transom-interop.XXXXXX)
    chmod 755 "$work"
    trap interop_end EXIT
}

interop_end() {
    local dir
    for dir in "$work"/*; do
        transport_stop "$dir"
        postfix_stop "$dir"
        unpacked_stop "$dir"
    done
    [ -n "${INTEROP_KEEP:-}" ] || rm -rf "$work"
}

fail() {
    echo "FAILED: $1"
    tail -n 5 "$work"/*/*.log "$work"/*/log/mainlog 2>/dev/null
    exit 1
}

send() { python3 "$here/messages.py" send --count "$count" --port "$@"; }
check() { python3 "$here/messages.py" check --count "$count" --maildir "$1" --recipient "$2"; }
reports() { python3 "$here/messages.py" reports --count "$count" --maildir "$1" --recipient "$2"; }

# run_tests TEST...: functions of the script, one after the other.
run_tests() {
    local test began
    for test in "$@"; do
        began=$SECONDS
        echo "-- $test"
        "$test" || fail "$test"
        echo "-- $test passed ($((SECONDS - began)) s)"
    done
}

# need PROGRAM...: ends the script where one is absent.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || cannot_run "$program is not installed"
    done
    [ "$(id -u)" -eq 0 ] || cannot_run "a private mail server needs root"
}

# cannot_run REASON: a visible skip; in CI a failure.
cannot_run() {
    [ -n "${CI:-}" ] && echo "FAILED: $1" && exit 1
    echo "SKIPPED: $1"
    exit 0
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

# unpack_server DIR PACKAGE...: makes DIR a root for chroot, with what the packages hold. Nothing is
# installed, since one mail server drives the other out. Where apt reaches nothing it is a skip.
unpack_server() {
    local dir=$1 package
    shift
    mkdir -p "$dir"/{bin,dev,etc,mail,packages,tmp,usr,var/run}
    if ! download "$dir/packages" "$@"; then
        apt-get update -qq >/dev/null 2>&1 || { echo "SKIPPED: apt reaches nothing"; exit 0; }
        download "$dir/packages" "$@" || cannot_run "apt has not all of: $*"
    fi
    unpack "$dir"
    cp -L /bin/sh "$dir/bin/sh"
    if ! copy_libraries "$dir"; then
        for package in $(libraries_not_installed "$@"); do
            download "$dir/packages" "$package" # of alternatives, one is enough
        done
        unpack "$dir"
        copy_libraries "$dir" || { grep 'not found' "$dir/libraries"; return 1; }
    fi
    mknod -m 666 "$dir/dev/null" c 1 3 || return 1
    chmod 1777 "$dir/tmp"
    chown nobody "$dir/mail"
    printf '%s:x:%s:%s::%s:/bin/sh\n' root 0 0 / nobody "$(id -u nobody)" "$(id -g nobody)" / \
        >"$dir/etc/passwd"
    printf '%s:x:%s:\n' root 0 nogroup "$(id -g nobody)" >"$dir/etc/group"
}

download() {
    (cd "$1" && shift && apt-get download -qq -o APT::Sandbox::User=root "$@" >/dev/null 2>&1)
}

unpack() {
    local package
    for package in "$1"/packages/*.deb; do
        dpkg-deb -x "$package" "$1"
    done
}

libraries_not_installed() {
    local package
    apt-cache depends --recurse --important "$@" 2>/dev/null | grep '^lib' | sort -u |
        while read -r package; do
            [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] ||
                echo "$package"
        done
}

# The libraries that stand on this machine and not in the packages. Fails where one is nowhere.
copy_libraries() {
    local dir=$1 program library unpacked
    unpacked=$(echo "$dir"/lib/*-linux-gnu "$dir"/usr/lib/*-linux-gnu | tr ' ' :)
    find "$dir/bin" "$dir"/usr/{bin,sbin,lib,libexec} -type f -perm -u+x 2>/dev/null |
        while read -r program; do LD_LIBRARY_PATH=$unpacked ldd "$program" 2>/dev/null; done |
        sort -u >"$dir/libraries"
    grep -o '/[^ ]*' "$dir/libraries" | grep -v "^$dir/" | sort -u |
        while read -r library; do
            mkdir -p "$dir$(dirname "$library")"
            cp -nL "$library" "$dir$library"
        done
    ! grep -q 'not found' "$dir/libraries"
}

# unpacked_user DIR NAME ID: a user, and a group, that the server expects to find.
unpacked_user() {
    echo "$2:x:$3:$3::/var/empty:/bin/sh" >>"$1/etc/passwd"
    echo "$2:x:$3:" >>"$1/etc/group"
}

# unpacked_start DIR PORT PROGRAM ARGUMENT...: as a job of ours; ready when it greets.
unpacked_start() {
    local dir=$1 port=$2
    shift 2
    chroot "$dir" "$@" >"$dir/server.log" 2>&1 &
    echo $! >"$dir/server.pid"
    wait_for_port "$port" || { tail -20 "$dir/server.log"; return 1; }
}

unpacked_stop() {
    [ -f "$1/server.pid" ] || return 0
    kill -TERM "$(cat "$1/server.pid")" 2>/dev/null
    wait "$(cat "$1/server.pid")" 2>/dev/null
    rm -f "$1/server.pid"
}

# transport_start DIR PORT FLAG...: our own transport, as a job of ours; ready when it greets.
transport_start() {
    local dir=$1 port=$2
    shift 2
    mkdir -p "$dir"
    # What it makes for want of a flag goes with the rest.
    TMPDIR=$dir "$(transport_binary)" --listen "127.0.0.1:$port" --spool "$dir/spool" \
        --log-dir "$dir/log" --no-samples "$@" >"$dir/transport.log" 2>&1 &
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
