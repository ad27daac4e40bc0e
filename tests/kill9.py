#!/usr/bin/env python3
"""Custody under kill -9.

2,000 numbered messages go over 20 connections through a transport that is killed at random moments
and started again on the same spool. A sink notes the number of every message that reaches it.
Each attempt to submit carries a number of its own, so a number with a 250 must arrive, and one
without may or may not.

Must hold:
- every number that got its 250 arrives at the sink at least once;
- it arrives twice only where a tracking event says that its outcome was in doubt;
- nothing lands in the poison queue;
- everything is settled within 90 s of the last kill.

The seed is printed first; --seed replays the moments as well as a real machine can.
"""
import argparse
import collections
import csv
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

SUBMIT_TIMEOUT = 20
MARKER = b"X-Kill-Number: "


class Sink(socketserver.ThreadingTCPServer):
    """An SMTP server that takes everything and notes the numbers it took custody of."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SinkSession)
        self.arrivals = collections.Counter()
        self.lock = threading.Lock()
        self.last_arrival = time.monotonic()

    @property
    def port(self):
        return self.server_address[1]

    def note(self, number):
        with self.lock:
            self.arrivals[number] += 1
            self.last_arrival = time.monotonic()

    def missing(self, numbers):
        with self.lock:
            return [n for n in numbers if self.arrivals[n] == 0]

    def handle_error(self, request, client_address):
        pass  # a killed client is what this is about


class SinkSession(socketserver.StreamRequestHandler):
    timeout = 120

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink.test ESMTP")
        while line := self.rfile.readline(4096):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0")
            elif verb == b"DATA":
                self.say("354 go on")
                if not self.content():
                    return
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def content(self):
        number = None
        while line := self.rfile.readline(4096):
            if line == b".\r\n":
                # Noted before the reply: from here on the sink has the message.
                # A late reply gives kills a moment to fall into, between arrival and outcome.
                self.server.note(number)
                if number is not None and number % 4 == 0:
                    time.sleep(0.02)
                self.say("250 2.0.0 taken")
                return True
            if line.startswith(MARKER) and line.endswith(b"\r\n"):
                number = int(line[len(MARKER):])
        return False


class Transport:
    """The process under test."""

    def __init__(self, binary, folder, port, sink_port):
        self.folder, self.port, self.process = folder, port, None
        self.log = open(folder / "transport.log", "ab")
        self.command = [
            binary, "--listen", f"127.0.0.1:{port}", "--relay-domain", "sink.test",
            "--smart-host", f"127.0.0.1:{sink_port}", "--spool", str(folder / "spool"),
            "--log-dir", str(folder / "log"), "--no-samples",
        ]

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return "killed after 20 s"

    def wait_until_it_greets(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    s.settimeout(2)
                    if s.recv(3) == b"220":
                        return True
            except OSError:
                pass
            time.sleep(0.02)
        return False


class Submitter(threading.Thread):
    """One connection at a time; a message that got no 250 is tried again under a new number."""

    def __init__(self, load, port):
        super().__init__(daemon=True)
        self.load, self.port = load, port

    def run(self):
        while self.load.left():
            try:
                self.session()
            except OSError:
                time.sleep(0.05)

    def session(self):
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.settimeout(SUBMIT_TIMEOUT)
            replies = s.makefile("rb")
            self.expect(replies, b"220")
            s.sendall(b"EHLO client.test\r\n")
            self.expect(replies, b"250")
            while (number := self.load.take()) is not None:
                accepted = False
                try:
                    accepted = self.submit(s, replies, number)
                finally:
                    self.load.done(number, accepted)

    def submit(self, s, replies, number):
        s.sendall(b"MAIL FROM:<sender@client.test>\r\nRCPT TO:<user@sink.test>\r\nDATA\r\n")
        self.expect(replies, b"250")
        self.expect(replies, b"250")
        self.expect(replies, b"354")
        body = b"text of the message\r\n" * (number % 200)
        header = MARKER + b"%d\r\nMessage-ID: <kill-%d@client.test>\r\n\r\n" % (number, number)
        s.sendall(header + body + b".\r\n")
        self.expect(replies, b"250")
        return True

    @staticmethod
    def expect(replies, code):
        while True:
            line = replies.readline(2048)
            if not line.endswith(b"\r\n"):
                raise ConnectionError("the connection went away")
            if line[3:4] != b"-":
                break
        if line[:3] != code:
            raise ConnectionError(f"unexpected reply {line!r}")


class Load:
    """Who has which number, and which got their 250. Submitters wait a little beyond the next
    kill, so that every kill falls into the load and none behind it."""

    def __init__(self, messages, slack):
        self.lock = threading.Condition()
        self.wanted, self.slack = messages, slack
        self.attempts = 0
        self.open = 0
        self.gate = 0
        self.accepted = set()

    def left(self):
        with self.lock:
            return len(self.accepted) < self.wanted

    def take(self):
        with self.lock:
            while len(self.accepted) + self.open >= min(self.wanted, self.gate + self.slack):
                if len(self.accepted) + self.open >= self.wanted:
                    return None
                self.lock.wait(0.05)
            self.attempts += 1
            self.open += 1
            return self.attempts

    def done(self, number, accepted):
        with self.lock:
            self.open -= 1
            if accepted:
                self.accepted.add(number)
            self.lock.notify_all()

    def open_until(self, gate):
        with self.lock:
            self.gate = gate
            self.lock.notify_all()

    def wait_for(self, accepted, seconds):
        with self.lock:
            return self.lock.wait_for(lambda: len(self.accepted) >= accepted, seconds)


def tracking_rows(folder):
    """Rows of the tracking log as dictionaries; a row cut off by a kill is left out."""
    for file in sorted(pathlib.Path(folder).rglob("MSGTRK*.LOG")):
        names = None
        text = file.read_text("utf-8", "replace").replace("\0", "")
        for row in csv.reader(text.lstrip("\ufeff").splitlines()):
            if row and row[0].startswith("#"):
                if row[0].lower().startswith("#fields:"):
                    names = [row[0].split(":", 1)[1].strip(), *row[1:]]
            elif names and len(row) == len(names):
                yield dict(zip(names, row))


def evidence(folder):
    """Numbers in doubt, poison rows, and how often each event occurs."""
    doubt, poison, events = set(), [], collections.Counter()
    for row in tracking_rows(folder):
        event = row.get("event-id", "").upper()
        events[event] += 1
        number = re.search(r"kill-(\d+)@", row.get("message-id", ""))
        if event == "INDOUBT" and number:
            doubt.add(int(number[1]))
        if event == "POISONMESSAGE":
            poison.append(row)
    return doubt, poison, events


def kill_under_load(transport, load, chance, kills):
    """Kills at KILLS places of the load, sometimes again while the spool is being recovered."""
    killed = during_recovery = 0
    places = sorted(chance.sample(range(1, load.wanted), kills))
    for place in places:
        load.open_until(place)
        if not load.wait_for(place, 60):
            raise SystemExit(f"no progress: {len(load.accepted)} accepted in 60 s, want {place}")
        time.sleep(chance.uniform(0, 0.05))
        transport.kill()
        killed += 1
        transport.start()
        if chance.random() < 0.25:
            time.sleep(chance.uniform(0, 0.05))
            transport.kill()
            killed += 1
            during_recovery += 1
            transport.start()
        if not transport.wait_until_it_greets(60):
            raise SystemExit("the transport does not come back after a kill")
    load.open_until(load.wanted)
    return killed, during_recovery


def settle(load, sink, last_kill, seconds):
    """Until every accepted number arrived and nothing more comes; how long that took."""
    while time.monotonic() < last_kill + seconds:
        if not load.left() and not sink.missing(load.accepted):
            settled = sink.last_arrival - last_kill
            if time.monotonic() - sink.last_arrival > 3:
                return max(settled, 0)
        time.sleep(0.1)
    return None


def run(arguments):
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="transom-kill9."))
    sink = Sink()
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    transport = Transport(arguments.transport, folder, port, sink.port)
    load = Load(arguments.messages, 3 * arguments.connections)
    transport.start()
    wrong = []
    try:
        if not transport.wait_until_it_greets(20):
            raise SystemExit("the transport does not start")
        for _ in range(arguments.connections):
            Submitter(load, port).start()
        began = time.monotonic()
        killed, during_recovery = kill_under_load(transport, load, chance, arguments.kills)
        last_kill = time.monotonic()
        settled = settle(load, sink, last_kill, arguments.settle)
        code = transport.stop()
        wrong = judge(load, sink, folder, settled, code, arguments)
        print(
            f"{len(load.accepted)} of {load.attempts} attempts got 250; {killed} kills, "
            f"{during_recovery} of them in recovery, in {last_kill - began:.1f} s; "
            f"settled {settled if settled is None else round(settled, 1)} s after the last"
        )
    except SystemExit as stop:
        wrong = [str(stop)]
    finally:
        if transport.process.poll() is None:
            transport.kill()
    for line in wrong:
        print(f"WRONG: {line}")
    if wrong:
        log = (folder / "transport.log").read_text("utf-8", "replace")
        print("\n".join(log.splitlines()[-15:]))
        print(f"spool and logs are in {folder}; again: --seed {arguments.seed}")
    elif not arguments.keep:
        shutil.rmtree(folder)
    print("kill9 FAILED" if wrong else "kill9 passed: none lost, no duplicate without a named doubt")
    return 1 if wrong else 0


def judge(load, sink, folder, settled, code, arguments):
    doubt, poison, events = evidence(folder / "log")
    lost = sink.missing(load.accepted)
    twice = {n for n, times in sink.arrivals.items() if times > 1}
    unnamed = sorted(twice - doubt)
    extra = len(set(sink.arrivals) - load.accepted)
    print(
        f"arrived: {len(sink.arrivals)} numbers, {extra} of them without 250; "
        f"{len(twice)} more than once, {len(doubt)} named in doubt; "
        f"lost {len(lost)}, poison {len(poison)}; events {dict(sorted(events.items()))}"
    )
    checks = [
        (load.left(), f"only {len(load.accepted)} of {load.wanted} messages were accepted"),
        (lost, f"lost after their 250: {lost[:20]}"),
        (unnamed, f"arrived more than once without a named doubt: {unnamed[:20]}"),
        (None in sink.arrivals, "a message without number reached the sink"),
        (poison, f"in the poison queue: {poison[:3]}"),
        (not events, f"no tracking log in {folder / 'log'}"),
        (settled is None, f"not settled {arguments.settle} s after the last kill"),
        (code != 0, f"the transport did not stop gracefully: {code}"),
    ]
    return [text for broken, text in checks if broken]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", required=True)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--settle", type=float, default=90)
    parser.add_argument("--keep", action="store_true", help="keep spool and logs")
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
