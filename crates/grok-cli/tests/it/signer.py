"""A signer command: signs with the key in its first argument, and appends what it was asked to the file in its second."""

import json
import os
import sys

PRIME = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % PRIME == 0:
        return None
    if p == q:
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, PRIME)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, PRIME)
    x = (slope * slope - p[0] - q[0]) % PRIME
    return x, (slope * (p[0] - x) - p[1]) % PRIME


def times(number, point):
    sum = None
    while number:
        if number & 1:
            sum = add(sum, point)
        point, number = add(point, point), number >> 1
    return sum


def sign(key, digest):
    nonce = int.from_bytes(os.urandom(32), "big") % ORDER
    x, y = times(nonce, BASE)
    r, parity = x % ORDER, y & 1
    s = pow(nonce, -1, ORDER) * (digest + r * key) % ORDER
    if s > ORDER // 2:
        s, parity = ORDER - s, 1 - parity
    return "0x%064x%064x%02x" % (r, s, 27 + parity)


key, log, address = sys.argv[1:]
question = json.load(sys.stdin)
with open(log, "a") as file:
    secrets = [name for name in os.environ if name in ("GROK_MPP_PRIVATE_KEY", "GROK_MPP_PASSPHRASE")]
    print(json.dumps({**question, "secrets": secrets}), file=file)
if question["request"] == "address":
    print(json.dumps({"address": address}))
else:
    print(json.dumps({"signature": sign(int(key, 16), int(question["hash"], 16))}))
