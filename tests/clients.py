#!/usr/bin/env python3
"""Sends mail with real clients and compares what arrives in the Maildirs octet by octet.

clients.py --transport BINARY [CASE...]

Every case has a mailbox of its own. What the transport puts above a message (Return-Path and
Received, nothing else) is taken off first; a Maildir has its own line ends, so CRLF counts as LF.
A client that is not installed is a visible skip, and a failure where CI is set. Prints
"N passed, N failed" last; exit code 1 when one failed.
"""
import argparse
import email
import email.policy
import os
import pathlib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

DOMAIN = "contoso.example"
SENDER = "sender@client.example"
# Two listeners at port 0 must differ in their address.
TLS_HOST = "127.0.0.2"
# What is special in some mechanism or configuration file is in the password.
USER, PASSWORD = "ann", "correct horse=battery, staple%"
PATIENCE = 60
OCTETS_8BIT = bytes(range(0x80, 0x100))


class Skip(Exception):
    """A client is not installed."""


class Failure(Exception):
    """What must hold does not."""


def header(case, *more):
    return [
        b"From: Sender <" + SENDER.encode() + b">",
        b"To: <" + case.encode() + b"@" + DOMAIN.encode() + b">",
        b"Subject: " + case.encode(),
        b"Message-ID: <" + case.encode() + b"@client.example>",
        b"Date: Tue, 24 Nov 2026 08:00:00 +0000",
        *more,
    ]


def message(case, body, *more):
    return b"\r\n".join([*header(case, *more), b"", *body]) + b"\r\n"


TRICKY = [b".", b"..", b".one", b"", b"From here", b" indented", b"x" * 998, b"last", b"", b""]
EIGHT_BIT = ["Gr\u00fc\u00dfe \u4e2d\u6587".encode(), OCTETS_8BIT]


class Place:
    """A running transport and its folder."""

    def __init__(self, binary, folder):
        self.folder = pathlib.Path(folder)
        self.mail = self.folder / "mail" / DOMAIN
        self.output = open(self.folder / "output", "w+")
        flags = ["--listen", "127.0.0.1:0", "--listen-tls", f"{TLS_HOST}:0"]
        flags += ["--accepted-domain", DOMAIN, "--auth", f"{USER}:{PASSWORD}"]
        for flag, name in [("--mail", "mail"), ("--spool", "spool"), ("--log-dir", "log")]:
            flags += [flag, str(self.folder / name)]
        self.process = subprocess.Popen(
            [binary, *flags], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output
        )
        self.port, self.tls_port = (int(p) for p in self.wait_for_ports())

    def said(self):
        return (self.folder / "output").read_text()

    def wait_for_ports(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            lines = [line for line in self.said().splitlines(True) if line.endswith("\n")]
            found = [line.split(";")[0].rsplit(":", 1)[1] for line in lines if "listening at" in line]
            if len(found) == 2:
                return found
            time.sleep(0.05)
        self.stop()
        sys.exit(f"the transport does not listen:\n{self.said()}")

    def stop(self):
        """Ends the process by its id; true when it ended well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False

    def arrived(self, mailbox, count=1):
        """The messages of a mailbox, when there are so many."""
        folder = self.mail / mailbox / "new"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            if len(files) >= count:
                if len(files) > count:
                    raise Failure(f"{len(files)} messages in {mailbox} instead of {count}")
                return [file.read_bytes().replace(b"\r\n", b"\n") for file in files]
            time.sleep(0.05)
        raise Failure(f"nothing new in {folder}")

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def check(self, mailbox, sent, protocol=b"SMTP"):
        """One message is in the mailbox: trace fields, and what was sent."""
        (got,) = self.arrived(mailbox)
        want = sent.replace(b"\r\n", b"\n")
        if not got.endswith(want):
            raise Failure(difference(without_trace(got), want))
        check_trace(got[: len(got) - len(want)], protocol)


def without_trace(got):
    lines = got.split(b"\n")
    trace = True
    for at, line in enumerate(lines):
        starts = line.startswith((b"Return-Path:", b"Received:"))
        trace = starts or (trace and line[:1] in (b" ", b"\t"))
        if not trace:
            return b"\n".join(lines[at:])
    return b""


def check_trace(trace, protocol):
    if without_trace(trace + b"end") != b"end":
        raise Failure(f"more than trace fields was added: {trace!r}")
    if not trace.startswith(b"Return-Path: <" + SENDER.encode() + b">\n"):
        raise Failure(f"no Return-Path on top: {trace[:80]!r}")
    if b"\nReceived: from " not in trace:
        raise Failure(f"no Received field: {trace!r}")
    if protocol not in trace:
        raise Failure(f"it did not come by {protocol}: {trace!r}")


def difference(got, want):
    limit = min(len(got), len(want))
    at = next((i for i in range(limit) if got[i] != want[i]), limit)
    near = slice(max(0, at - 20), at + 20)
    return f"differs at octet {at} of {len(want)}: got {got[near]!r}, want {want[near]!r}"


def run(program, *arguments, stdin=b"", good=(0,)):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")
    done = subprocess.run(
        [program, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=PATIENCE, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode not in good:
        raise Failure(f"{program} ends with {done.returncode}: {text[-600:]}")
    return text


def swaks(place, case, *more, server=None, good=(0,)):
    server = server or f"127.0.0.1:{place.port}"
    base = ["--server", server, "--from", SENDER, "--timeout", "30"]
    to = [] if "--to" in more else ["--to", f"{case}@{DOMAIN}"]
    return run("swaks", *base, *to, *more, good=good)


def swaks_message(place, case, *more, server=None, protocol=b"SMTP"):
    sent = message(case, TRICKY)
    # swaks adds no line end to a file, and takes one as its own end of data.
    data = "@" + place.file(case, sent[:-2])
    output = swaks(place, case, "--data", data, *more, server=server)
    place.check(case, sent, protocol)
    return output


def swaks_plain(place, case):
    swaks_message(place, case)


def swaks_starttls(place, case):
    if "~>" not in swaks_message(place, case, "--tls"):
        raise Failure("nothing was said in TLS")


def swaks_tls_on_connect(place, case):
    server = f"{TLS_HOST}:{place.tls_port}"
    swaks_message(place, case, "--tls-on-connect", server=server)


def swaks_pipelining(place, case):
    names = [f"{case}-{n}" for n in range(20)]
    sent = message(case, TRICKY)
    to = ",".join(f"{name}@{DOMAIN}" for name in names)
    data = "@" + place.file(case, sent[:-2])
    swaks(place, case, "--to", to, "--pipeline", "--data", data)
    for name in names:
        place.check(name, sent)


def swaks_attachment(place, case):
    content = OCTETS_8BIT * 500 + b"\r\n.\r\n" + bytes(range(256))
    swaks(place, case, "--attach-type", "application/octet-stream",
          "--attach", "@" + place.file(case, content))
    (got,) = place.arrived(case)
    parts = [part.get_payload(decode=True) for part in email.message_from_bytes(got).walk()]
    if content not in parts:
        raise Failure("the attachment is not what was sent")


def swaks_foreign_recipient(place, case):
    # 24: no recipient was accepted.
    output = swaks(place, case, "--to", "someone@elsewhere.example", good=(24,))
    if "550 5.7.1" not in output:
        raise Failure(f"no 550 5.7.1: {output[-400:]}")


def swaks_login(place, case, mechanism, *more):
    return swaks_message(place, case, "--auth", mechanism, "--auth-user", USER,
                         "--auth-password", PASSWORD, *more, protocol=b"ESMTPSA")


def swaks_auth_plain(place, case):
    swaks_login(place, case, "PLAIN", "--tls")


def swaks_auth_login(place, case):
    swaks_login(place, case, "LOGIN", "--tls")


def swaks_auth_needs_tls(place, case):
    # 28: it found no mechanism.
    output = swaks(place, case, "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD,
                   good=(28,))
    if "250-AUTH" in output or "250 AUTH" in output:
        raise Failure(f"AUTH is offered in the clear: {output[-400:]}")


def curl(place, case, url, *more, protocol=b"SMTP"):
    sent = message(case, TRICKY)
    run("curl", "--silent", "--show-error", "--max-time", "30", url, "--mail-from", SENDER,
        "--mail-rcpt", f"{case}@{DOMAIN}", "--upload-file", place.file(case, sent), *more)
    place.check(case, sent, protocol)


def curl_plain(place, case):
    curl(place, case, f"smtp://127.0.0.1:{place.port}/client.example")


def curl_starttls(place, case):
    curl(place, case, f"smtp://127.0.0.1:{place.port}/client.example", "--ssl-reqd", "--insecure")


def curl_smtps(place, case):
    curl(place, case, f"smtps://{TLS_HOST}:{place.tls_port}/client.example", "--insecure")


def curl_auth(place, case):
    url = f"smtps://{TLS_HOST}:{place.tls_port}/client.example"
    curl(place, case, url, "--insecure", "--user", f"{USER}:{PASSWORD}", protocol=b"ESMTPSA")


def msmtp(place, case, mechanism, password=PASSWORD, good=(0,)):
    lines = ["host 127.0.0.1", f"port {place.port}", "domain client.example", f"from {SENDER}",
             "tls on", "tls_starttls on", "tls_certcheck off", f"auth {mechanism}",
             f"user {USER}", f'password "{password}"', "logfile -"]
    settings = place.file(f"{case}.conf", "\n".join(lines).encode() + b"\n")
    os.chmod(settings, 0o600)
    sent = message(case, TRICKY)
    return sent, run("msmtp", f"--file={settings}", f"{case}@{DOMAIN}", stdin=sent, good=good)


def msmtp_scram_sha_256(place, case):
    sent, _output = msmtp(place, case, "scram-sha-256")
    place.check(case, sent, b"ESMTPSA")


def msmtp_plain(place, case):
    sent, _output = msmtp(place, case, "plain")
    place.check(case, sent, b"ESMTPSA")


def msmtp_wrong_password(place, case):
    for mechanism in ["scram-sha-256", "plain"]:
        # 77: no permission.
        _sent, output = msmtp(place, case, mechanism, "wrong", good=(77,))
        if "authentication failed" not in output:
            raise Failure(f"{mechanism}: it was not refused: {output[-400:]}")


def s_nail(place, case):
    body = "Gr\u00fc\u00dfe\n.\n.dots\nend\n"
    attached = place.file("attached.bin", OCTETS_8BIT * 100)
    run("s-nail", "-:/", "-Sv15-compat", "-Ssendwait", "-Sttycharset=utf-8", "-Ssmtp-auth=none",
        f"-Smta=smtp://127.0.0.1:{place.port}", f"-Sfrom={SENDER}", "-Shostname=client.example",
        "-s", "Sch\u00f6ne Gr\u00fc\u00dfe", "-a", attached, f"{case}@{DOMAIN}", stdin=body.encode())
    (got,) = place.arrived(case)
    parsed = email.message_from_bytes(got, policy=email.policy.default)
    if parsed["Subject"] != "Sch\u00f6ne Gr\u00fc\u00dfe":
        raise Failure(f"the subject is {parsed['Subject']!r}")
    parts = [part.get_payload(decode=True) for part in parsed.walk()]
    if OCTETS_8BIT * 100 not in parts:
        raise Failure("the attachment is not what was sent")
    if body.encode() not in parts:
        raise Failure(f"the text is not what was sent: {parts[1]!r}")


def python(place):
    client = smtplib.SMTP("127.0.0.1", place.port, "client.example", timeout=PATIENCE)
    client.ehlo()
    return client


def send(place, case, sent, options=()):
    with python(place) as client:
        client.sendmail(SENDER, [f"{case}@{DOMAIN}"], sent, list(options))
    place.check(case, sent)


def python_plain(place, case):
    send(place, case, message(case, TRICKY))


def python_empty_body(place, case):
    send(place, case, message(case, []))


def python_8bitmime(place, case):
    send(place, case, message(case, EIGHT_BIT), ["BODY=8BITMIME"])


def python_20_mib(place, case):
    line = bytes(range(0x20, 0x6A))
    body = [line[n % 60:] + b"%d" % n for n in range(20 * 1024 * 1024 // 48)]
    sent = message(case, body)
    if len(sent) < 20 * 1024 * 1024:
        raise Failure(f"only {len(sent)} octets")
    # smtplib says SIZE by itself.
    send(place, case, sent)


def python_smtputf8(place, case):
    mailbox = "\u4e2d\u6587-gr\u00fc\u00df"
    with python(place) as client:
        sent = message(case, EIGHT_BIT, "X-To: ".encode() + mailbox.encode())
        to = [f"{mailbox}@{DOMAIN}"]
        client.sendmail(SENDER, to, sent, ["SMTPUTF8", "BODY=8BITMIME"])
    # Folders have names in ASCII.
    place.check(urllib.parse.quote(mailbox), sent)


def python_many_recipients(place, case):
    names = [f"{case}-{n}" for n in range(200)]
    sent = message(case, TRICKY)
    with python(place) as client:
        refused = client.sendmail(SENDER, [f"{name}@{DOMAIN}" for name in names], sent)
    if refused:
        raise Failure(f"{len(refused)} recipients were refused")
    for name in names:
        place.check(name, sent)


def python_too_many_recipients(place, case):
    names = [f"{case}-{n}" for n in range(205)]
    with python(place) as client:
        refused = client.sendmail(SENDER, [f"{name}@{DOMAIN}" for name in names],
                                  message(case, TRICKY))
    codes = {(code, text[:5]) for code, text in refused.values()}
    if len(refused) != 5 or codes != {(452, b"4.5.3")}:
        raise Failure(f"{len(refused)} recipients were refused, with {codes}")


def python_many_messages(place, case):
    with python(place) as client:
        for n in range(100):
            mailbox = f"{case}-{n}@{DOMAIN}"
            client.sendmail(SENDER, [mailbox], message(f"{case}-{n}", TRICKY))
    for n in range(100):
        place.check(f"{case}-{n}", message(f"{case}-{n}", TRICKY))


def python_starttls(place, case):
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        name = f"{case}-{version.name.lower()}"
        with python(place) as client:
            client.starttls(context=context)
            client.ehlo()
            client.sendmail(SENDER, [f"{name}@{DOMAIN}"], message(name, TRICKY))
        place.check(name, message(name, TRICKY))


def python_in_tls(place):
    client = python(place)
    client.starttls(context=ssl._create_unverified_context())
    client.ehlo()
    return client


def python_auth(place, case):
    sent = message(case, TRICKY)
    with python_in_tls(place) as client:
        for name in ["plain", "login"]:
            if name.upper() not in client.esmtp_features.get("auth", "").split():
                raise Failure(f"{name} is not offered: {client.esmtp_features}")
        client.login(USER, PASSWORD)
        client.sendmail(SENDER, [f"{case}@{DOMAIN}"], sent)
        # Who is known may relay.
        client.mail(SENDER)
        code, text = client.rcpt("someone@elsewhere.example")
        if code != 250:
            raise Failure(f"no right to relay: {code} {text!r}")
        client.rset()
    place.check(case, sent, b"ESMTPSA")


def python_wrong_password(place, _case):
    for user, password in [(USER, "wrong"), (USER, PASSWORD[:-1]), ("nobody", PASSWORD)]:
        with python_in_tls(place) as client:
            try:
                client.login(user, password)
                raise Failure(f"{user} with {password!r} was let in")
            except smtplib.SMTPAuthenticationError as refused:
                if (refused.smtp_code, refused.smtp_error[:5]) != (535, b"5.7.8"):
                    raise Failure(f"not 535 5.7.8: {refused}") from refused
            client.mail(SENDER)
            code, text = client.rcpt("someone@elsewhere.example")
            if (code, text[:5]) != (550, b"5.7.1"):
                raise Failure(f"relay without login: {code} {text!r}")


def python_no_auth_before_tls(place, _case):
    with python(place) as client:
        if client.has_extn("auth"):
            raise Failure("AUTH is offered in the clear")
        code, text = client.docmd("AUTH", "PLAIN AGFubgB4")
        if (code, text[:6]) != (538, b"5.7.11"):
            raise Failure(f"not 538 5.7.11: {code} {text!r}")


def python_chunking(place, case):
    sent = message(case, EIGHT_BIT + TRICKY)
    with python(place) as client:
        if not client.has_extn("chunking"):
            raise Failure("CHUNKING is not offered")
        client.mail(SENDER, ["BODY=8BITMIME"])
        client.rcpt(f"{case}@{DOMAIN}")
        for at in range(0, len(sent), 700):
            chunk = sent[at:at + 700]
            last = " LAST" if at + 700 >= len(sent) else ""
            client.send(f"BDAT {len(chunk)}{last}\r\n".encode() + chunk)
            code, text = client.getreply()
            if code != 250:
                raise Failure(f"{code} {text!r}")
    place.check(case, sent)


def socket_octet_by_octet(place, case):
    sent = message(case, [b".dot", b"end"])
    with socket.create_connection(("127.0.0.1", place.port), PATIENCE) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        replies = stream.makefile("rb")
        for code, octets in [
            (b"220 ", b"EHLO client.example\r\n"),
            (b"250 ", b"MAIL FROM:<" + SENDER.encode() + b">\r\n"),
            (b"250 ", b"RCPT TO:<" + f"{case}@{DOMAIN}".encode() + b">\r\n"),
            (b"250 ", b"DATA\r\n"),
            (b"354 ", sent.replace(b"\r\n.", b"\r\n..") + b".\r\n"),
            (b"250 ", b"QUIT\r\n"),
            (b"221 ", b""),
        ]:
            while (line := replies.readline())[3:4] == b"-":
                pass
            if not line.startswith(code):
                raise Failure(f"{line!r} instead of {code!r}")
            for octet in octets:
                stream.sendall(bytes([octet]))
    place.check(case, sent)


CASES = [
    swaks_plain, swaks_starttls, swaks_tls_on_connect, swaks_pipelining, swaks_attachment,
    swaks_foreign_recipient, swaks_auth_plain, swaks_auth_login, swaks_auth_needs_tls, curl_plain,
    curl_starttls, curl_smtps, curl_auth, msmtp_scram_sha_256, msmtp_plain, msmtp_wrong_password,
    s_nail, python_auth, python_wrong_password, python_no_auth_before_tls, python_plain,
    python_empty_body, python_8bitmime, python_20_mib, python_smtputf8, python_many_recipients,
    python_too_many_recipients, python_many_messages, python_starttls, python_chunking,
    socket_octet_by_octet,
]


def attempt(place, case):
    """passed, failed or skipped, and why."""
    try:
        case(place, case.__name__.replace("_", "-"))
        return "passed", ""
    except Skip as skip:
        return ("failed" if os.environ.get("CI") else "skipped"), str(skip)
    except (Failure, OSError, smtplib.SMTPException, subprocess.SubprocessError) as failure:
        return "failed", f"{type(failure).__name__}: {failure}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", required=True)
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="transom-clients.") as folder:
        place = Place(arguments.transport, folder)
        try:
            for case in CASES:
                if not arguments.cases or case.__name__ in arguments.cases:
                    result, why = attempt(place, case)
                    print(f"{result:8}{case.__name__} {why}".rstrip(), flush=True)
                    results.append(result)
        finally:
            ended_well = place.stop()
        if not ended_well:
            print(f"failed  the transport did not end well:\n{place.said()}")
            results.append("failed")
    failed = results.count("failed")
    skipped = f", {results.count('skipped')} skipped" if "skipped" in results else ""
    print(f"{results.count('passed')} passed, {failed} failed{skipped}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
