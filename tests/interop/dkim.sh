#!/usr/bin/env bash
# DKIM with code of others, both ways: what we sign, dkimpy and OpenDKIM accept; what they sign, we
# accept; with one octet changed nobody accepts anything.
#
# tests/interop/dkim.sh       builds the example dkim of transom-mailauth, needs openssl, and
#                             dkimpy with pynacl (PyPI) or opendkim (Debian)
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"

need openssl python3
python3 -c 'import dkim, nacl' 2>/dev/null || cannot_run "dkimpy or pynacl is not installed"
interop_begin 1
cd "$root" || exit 1
cargo build --quiet --package transom-mailauth --example dkim || fail "build"
ours=${CARGO_TARGET_DIR:-$root/target}/debug/examples/dkim

openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.pem" \
    2>/dev/null || openssl genpkey -algorithm RSA -out "$work/rsa.pem" 2>/dev/null
openssl genpkey -algorithm ed25519 -out "$work/ed25519.pem"
for kind in rsa ed25519; do
    record=$("$ours" record "$work/$kind.pem") || fail "record of $kind"
    echo "$kind._domainkey.example.com TXT $record" >>"$work/zone"
    echo "$kind._domainkey.example.com $record" >>"$work/keys"
done

# Bodies that canonicalization changes: blank tails, white space, nothing, no line end, long lines.
make_messages() {
    local head='From: Ann <ann@example.com>\r\nTo: Bob <bob@example.org>\r\nSubject: a  b\r\n\tc\r\n'
    head+='Date: Mon, 6 Oct 2025 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n'
    local n=0 body
    for body in 'Hello.\r\n' '' '\r\n\r\n' 'Hello  \t there \r\n\r\n \r\n\t\r\n' ' a\r\n\r\nb' \
        "$(head -c 700 /dev/zero | tr '\0' x)"'\r\n'; do
        n=$((n + 1))
        printf "$head$body" >"$work/$n.eml"
    done
}
make_messages

# change FILE: the same with another letter in the field From.
change() { sed 's/^From: Ann/From: Anm/' "$1"; }

ours_is_accepted_by_dkimpy() {
    local message
    for message in "$work"/[0-9].eml; do
        "$ours" sign example.com "rsa=$work/rsa.pem" "ed25519=$work/ed25519.pem" \
            <"$message" >"$work/signed" || return 1
        python3 "$here/dkim_peer.py" verify "$work/zone" <"$work/signed" || return 1
        ! change "$work/signed" | python3 "$here/dkim_peer.py" verify "$work/zone" 2>/dev/null || return 1
    done
}

dkimpys_is_accepted_by_us() {
    local message kind forms
    for message in "$work"/[0-9].eml; do
        for kind in rsa ed25519; do
            for forms in relaxed/relaxed simple/simple relaxed/simple simple/relaxed; do
                python3 "$here/dkim_peer.py" sign example.com "$kind" "$kind" "$work/$kind.pem" "$forms" \
                    <"$message" >"$work/signed" || return 1
                "$ours" verify "$work/zone" <"$work/signed" || return 1
                ! change "$work/signed" | "$ours" verify "$work/zone" >/dev/null || return 1
            done
        done
    done
}

# The messages that end with a line end: without one, the reader of opendkim's option -t does not
# come to the end of the message, with any signature or none. By SMTP all messages have one.
whole_messages() {
    local message
    for message in "$work"/[0-9].eml; do
        [ "$(tail -c 1 "$message" | od -An -tx1 | tr -d ' ')" = 0a ] && echo "$message"
    done
}

# opendkim_judges FILE: what OpenDKIM says of a message, with the keys from a file.
opendkim_judges() {
    printf 'Mode v\nTestPublicKeys %s\n' "$work/keys" >"$work/verify.conf"
    opendkim -x "$work/verify.conf" -t "$1" 2>&1
}

ours_is_accepted_by_opendkim() {
    local message kind
    for message in $(whole_messages); do
        for kind in rsa ed25519; do
            "$ours" sign example.com "$kind=$work/$kind.pem" <"$message" >"$work/signed" || return 1
            opendkim_judges "$work/signed" >"$work/said"
            grep -q "(s=$kind, .*succeeded" "$work/said" || { cat "$work/said"; return 1; }
            change "$work/signed" >"$work/changed"
            ! opendkim_judges "$work/changed" | grep -q succeeded || return 1
        done
    done
}

# opendkim_signs KIND FORMS FILE: the message with the field that OpenDKIM would insert.
opendkim_signs() {
    {
        printf 'Mode s\nDomain example.com\nSelector %s\nKeyFile %s\n' "$1" "$work/$1.pem"
        printf 'SignatureAlgorithm %s-sha256\nCanonicalization %s\n' "$1" "$2"
        printf 'RequireSafeKeys no\nInternalHosts 0.0.0.0/0\n'
    } >"$work/sign.conf"
    opendkim -x "$work/sign.conf" -vv -t "$3" 2>/dev/null |
        sed -n "/^### INSHEADER/,/'\$/p" |
        sed "1s/.*hvalue='/DKIM-Signature: /; \$s/'\$//; s/\$/\r/"
    cat "$3"
}

opendkims_is_accepted_by_us() {
    local message kind forms
    for message in $(whole_messages); do
        for kind in rsa ed25519; do
            for forms in relaxed/relaxed simple/simple relaxed/simple simple/relaxed; do
                # OpenDKIM 2.11.0 beta 2 signs no header in simple form with Ed25519 that it, or
                # dkimpy, accepts.
                case $kind/$forms in ed25519/simple/*) continue ;; esac
                opendkim_signs "$kind" "$forms" "$message" >"$work/signed"
                "$ours" verify "$work/zone" <"$work/signed" || return 1
                ! change "$work/signed" | "$ours" verify "$work/zone" >/dev/null || return 1
            done
        done
    done
}

tests=(ours_is_accepted_by_dkimpy dkimpys_is_accepted_by_us)
if command -v opendkim >/dev/null; then
    tests+=(ours_is_accepted_by_opendkim opendkims_is_accepted_by_us)
elif [ -n "${CI:-}" ]; then
    fail "opendkim is not installed"
else
    echo "SKIPPED: OpenDKIM is not installed"
fi
run_tests "${tests[@]}"
echo "all passed"
