"""How long the published Python parser takes for hostile headers. Reads a JSON list of shapes, each a list of headers that
grow; prints {"shape","size","seconds"} for each, shape and size by number, and leaves out what would take many seconds were
it quadratic. The time is the processor's, which a busy machine disturbs least."""

import json
import statistics
import sys
from time import process_time as now

from mpp import Challenge
from mpp._parsing import ParseError
from mpp.client.transport import _payment_challenges


def parse(header):
    for field in _payment_challenges(header):
        try:
            Challenge.from_www_authenticate(field)
        except ParseError:
            pass


def median(header):
    times = []
    end = now() + 0.1
    while not times or now() < end:
        begun = now()
        parse(header)
        times.append(now() - begun)
    return statistics.median(times)


for shape, headers in enumerate(json.load(sys.stdin)):
    seconds = 0
    for size, header in enumerate(headers):
        if seconds > 1:
            break
        seconds = median(header)
        print(json.dumps({"shape": shape, "size": size, "seconds": seconds}), flush=True)
