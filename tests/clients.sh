#!/usr/bin/env bash
# Real clients send to the transport: builds it and hands over to clients.py. Arguments go through.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v python3 >/dev/null; then
    [ -n "${CI:-}" ] && echo "FAILED: python3 is not installed" && exit 1
    echo "SKIPPED: python3 is not installed"
    exit 0
fi
profile=${CLIENTS_PROFILE:-release}
cargo build --profile "$profile" --quiet --manifest-path "$root/Cargo.toml" --example transport
[ "$profile" = dev ] && profile=debug
exec python3 "$root/tests/clients.py" \
    --transport "${CARGO_TARGET_DIR:-$root/target}/$profile/examples/transport" "$@"
