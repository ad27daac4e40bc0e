"""What dkimpy makes of signatures. The zone is the text file that transom takes for the DNS.

dkim_peer.py sign DOMAIN SELECTOR KIND KEYFILE [CANONICALIZATION] < MESSAGE   the message, signed
dkim_peer.py verify ZONE < MESSAGE                          exit code 1 unless every signature holds
"""

import base64
import sys

import dkim


def zone(path):
    """A function that answers for the DNS."""
    texts = {}
    for line in open(path, encoding="ascii"):
        name, kind, data = line.split(None, 2)
        assert kind == "TXT", line
        texts[name.rstrip(".")] = data.strip().encode()

    def lookup(name, timeout=5):
        return texts.get(name.decode().rstrip("."))

    return lookup


def private_key(kind, path):
    """dkimpy wants the 32 octets of an Ed25519 key, which end its PKCS #8 form of version 1."""
    pem = open(path, "rb").read()
    if kind == "rsa":
        return pem
    der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    start = der.index(b"\x04\x22\x04\x20") + 4
    return base64.b64encode(der[start : start + 32])


def sign(domain, selector, kind, path, forms="relaxed/relaxed"):
    message = sys.stdin.buffer.read()
    header, body = (form.encode() for form in forms.split("/"))
    signature = dkim.sign(
        message,
        selector.encode(),
        domain.encode(),
        private_key(kind, path),
        canonicalize=(header, body),
        signature_algorithm={"rsa": b"rsa-sha256", "ed25519": b"ed25519-sha256"}[kind],
    )
    sys.stdout.buffer.write(signature + message)


def verify(path):
    message = sys.stdin.buffer.read()
    lookup = zone(path)
    verifier = dkim.DKIM(message)
    count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
    for index in range(count):
        try:
            holds = verifier.verify(idx=index, dnsfunc=lookup)
        except dkim.DKIMException as error:
            sys.exit(f"signature {index}: {error}")
        if not holds:
            sys.exit(f"signature {index} does not hold")
    if count == 0:
        sys.exit("no signature")
    print(f"{count} signatures hold")


{"sign": sign, "verify": verify}[sys.argv[1]](*sys.argv[2:])
