#!/usr/bin/env bash
# kill -9 under load: builds the transport and hands over to kill9.py. Arguments go through.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v python3 >/dev/null; then
    [ -n "${CI:-}" ] && echo "FAILED: python3 is not installed" && exit 1
    echo "SKIPPED: python3 is not installed"
    exit 0
fi
cargo build --release --quiet --manifest-path "$root/Cargo.toml" --example transport
exec python3 "$root/tests/kill9.py" \
    --transport "${CARGO_TARGET_DIR:-$root/target}/release/examples/transport" "$@"
