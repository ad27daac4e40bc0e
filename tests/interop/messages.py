#!/usr/bin/env python3
"""Makes, sends and checks the messages of the interop scripts.

messages.py send --port PORT --recipient MAILBOX [--refused MAILBOX] [--count 200]
messages.py check --maildir DIR --recipient MAILBOX [--count 200] [--timeout 60]
messages.py reports --maildir DIR --recipient MAILBOX [--count 200] [--timeout 60]

Message n is the same on both sides. What arrives is compared octet by octet from the marker field
on; what servers put above it is theirs. A Maildir has its own line ends, so CRLF counts as LF.
Every tenth message also goes to the recipient that will be refused, if one is named; "reports"
checks that for each of these one report about it came.
"""
import argparse
import email
import pathlib
import smtplib
import sys
import time

MARKER = b"X-Interop-Number: "
LINE_MAX = 998


def leading_dots(_n):
    return [b".", b"..", b"...", b".one", b" .not", b"text", b".", b"."]


def empty_body(_n):
    return []


def eight_bit(n):
    return ["gr\u00fc\u00df gott \u4e2d\u6587".encode(), bytes(range(0x80, 0x100)), b"%d" % n]


def folded_megabyte(n):
    line = b"folded text of message %d " % n
    return [(line * 4)[:76] for _ in range(1024 * 1024 // 78 + 1)]


def longest_lines(_n):
    return [b"x" * LINE_MAX, b"." + b"y" * (LINE_MAX - 2), b"short", b"z" * LINE_MAX]


def no_content_before_the_dot(_n):
    return [b"text", b"", b"", b""]


def plain(n):
    return [b"line %d of message %d" % (i, n) for i in range(1 + n % 50)]


KINDS = [leading_dots, empty_body, eight_bit, longest_lines, no_content_before_the_dot, plain]


def kind(n):
    return folded_megabyte if n % 40 == 7 else KINDS[n % len(KINDS)]


def message(n, recipient):
    make = kind(n)
    header = [
        MARKER + b"%d" % n,
        b"Date: Tue, 24 Nov 2026 08:00:00 +0000",
        b"From: Interop <sender@interop.test>",
        b"To: <" + recipient.encode() + b">",
        b"Message-ID: <interop-%d@interop.test>" % n,
        b"Subject: " + make.__name__.encode(),
        b"\tfolded, number %d" % n,
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
    ]
    return b"".join(line + b"\r\n" for line in [*header, b"", *make(n)])


def has_refused_recipient(n):
    return n % 10 == 3


def send(port, recipient, refused, count):
    sessions = 0
    for first in range(0, count, 20):
        with smtplib.SMTP("127.0.0.1", port, "client.interop.test", timeout=60) as client:
            client.ehlo()
            for n in range(first, min(first + 20, count)):
                to = [recipient, refused] if refused and has_refused_recipient(n) else [recipient]
                body = ["BODY=8BITMIME"]
                client.sendmail("sender@interop.test", to, message(n, recipient), body)
            sessions += 1
    print(f"sent {count} messages in {sessions} sessions to port {port}")


def arrived(maildir):
    """Number to list of contents, each from the marker on."""
    found = {}
    for file in pathlib.Path(maildir).rglob("new/*"):
        try:
            content = file.read_bytes().replace(b"\r\n", b"\n")
        except FileNotFoundError:
            continue
        at = content.find(MARKER)
        if at < 0:
            sys.exit(f"{file} has no marker")
        number = int(content[at + len(MARKER):].split(b"\n", 1)[0])
        found.setdefault(number, []).append(content[at:])
    return found


def wait_for_files(maildir, count, timeout):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if sum(1 for _ in pathlib.Path(maildir).rglob("new/*")) >= count:
            return
        time.sleep(0.2)


def check(maildir, count, timeout, recipient):
    wait_for_files(maildir, count, timeout)
    found = arrived(maildir)
    wrong = []
    for n in range(count):
        want = message(n, recipient).replace(b"\r\n", b"\n")
        got = found.pop(n, [])
        name = f"message {n} ({kind(n).__name__})"
        if not got:
            wrong.append(f"{name} is missing")
        elif len(got) > 1:
            wrong.append(f"{name} arrived {len(got)} times")
        elif got[0] != want:
            wrong.append(f"{name} differs {difference(got[0], want)}")
    wrong += [f"message {n} was never sent" for n in found]
    for line in wrong[:20]:
        print(line)
    if wrong:
        sys.exit(f"{len(wrong)} of {count} messages are wrong in {maildir}")
    print(f"{count} messages of {len(KINDS) + 1} kinds arrived octet for octet in {maildir}")


def reports(maildir, count, timeout, recipient):
    """One report for each message that had a refused recipient, and it says who and why."""
    want = [b"%d" % n for n in range(count) if has_refused_recipient(n)]
    wait_for_files(maildir, len(want), timeout)
    about = []
    for file in pathlib.Path(maildir).rglob("new/*"):
        report = email.message_from_bytes(file.read_bytes())
        (status,) = (p for p in report.walk() if p.get_content_type() == "message/delivery-status")
        host, person = status.get_payload()
        if person["Final-Recipient"] != f"rfc822; {recipient}" or person["Action"] != "failed":
            sys.exit(f"{file} is no report about {recipient}: {person}")
        if not person["Diagnostic-Code"].startswith("smtp; 550 "):
            sys.exit(f"{file} does not say why: {person}")
        about.append(file.read_bytes().split(MARKER, 1)[1].split()[0])
    if sorted(about) != sorted(want):
        sys.exit(f"there are reports about messages {sorted(about)}, not {sorted(want)}")
    print(f"{len(want)} reports about {recipient} arrived in {maildir}")


def difference(got, want):
    limit = min(len(got), len(want))
    at = next((i for i in range(limit) if got[i] != want[i]), limit)
    near = slice(max(0, at - 20), at + 20)
    return f"at octet {at} of {len(want)}: got {got[near]!r}, want {want[near]!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["send", "check", "reports"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--recipient", required=True)
    parser.add_argument("--refused")
    parser.add_argument("--maildir")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--timeout", type=float, default=60)
    arguments = parser.parse_args()
    if arguments.verb == "send":
        send(arguments.port, arguments.recipient, arguments.refused, arguments.count)
    else:
        judge = check if arguments.verb == "check" else reports
        judge(arguments.maildir, arguments.count, arguments.timeout, arguments.recipient)


if __name__ == "__main__":
    main()
