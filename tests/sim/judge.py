"""What the judges of the simulator share: python3-hcloud's client, TAP, and what every refusal was like.
HCLOUD_ENDPOINT, HCLOUD_TOKEN and HCLOUD_SIM_URL say where the simulator is."""
import os
import sys
import time

import requests
from hcloud import APIException, Client
from hcloud.images.domain import Image
from hcloud.locations.domain import Location
from hcloud.server_types.domain import ServerType
from hcloud.servers.domain import ServerCreatePublicNetwork

POLL_S = 0.01
DEADLINE_S = 20
TYPE = ServerType(name="cx23")
IMAGE = Image(name="ubuntu-24.04")
FSN = Location(name="fsn1")
PRIVATE = ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False)

endpoint = os.environ["HCLOUD_ENDPOINT"]
results = {"count": 0, "failed": 0}
refusals = {}  # code: the HTTP statuses that it came with
answers = []  # the last one's requests.Response


def new_client(token):
    """A client whose answers are noted, and which does not wait between its tries."""
    made = Client(token=token, api_endpoint=endpoint, poll_interval=POLL_S)
    made._retry_wait_time = 0  # pylint: disable=protected-access
    made._requests_session.hooks["response"].append(  # pylint: disable=protected-access
        lambda answer, *_, **__: answers.__setitem__(slice(None), [answer]))
    return made


client = new_client(os.environ["HCLOUD_TOKEN"])


def result(passed, what, *details):
    results["count"] += 1
    results["failed"] += not passed
    print("ok" if passed else "not ok", results["count"], "-", what)
    for line in details if not passed else ():
        print("#", str(line).replace("\n", "\n# "))
    sys.stdout.flush()


def same(what, actual, expected):
    result(actual == expected, what, f"expected: {expected!r}", f"actual:   {actual!r}")


def refused(code, what, call, message=None):
    """The call fails with that code (and message); returns the details."""
    try:
        answer = call()
    except APIException as refusal:
        fits = refusal.code == code and message in (None, refusal.message)
        result(fits, what, f"expected: {code} {message or ''}", f"actual:   {refusal.code} {refusal.message}")
        refusals.setdefault(refusal.code, set()).add(answers[0].status_code)
        return refusal.details
    result(False, what, f"expected {code}, but it was done: {answer!r}")
    return None


def done(*actions):
    for action in actions:
        action.wait_until_finished(DEADLINE_S / POLL_S)


def eventually(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < end:
        time.sleep(POLL_S)
    result(condition(), what, "not within the deadline")


def create(name, **options):
    """A server, whose actions have all ended well."""
    options = {"server_type": TYPE, "image": IMAGE, "location": FSN, **options}
    response = client.servers.create(name, **options)
    done(response.action, *response.next_actions)
    return client.servers.get_by_id(response.server.id)


def fault(spec):
    requests.post(os.environ["HCLOUD_SIM_URL"] + "/_sim/faults", json={"spec": spec}, timeout=DEADLINE_S).raise_for_status()


def heal():
    """The faults that the simulator was started with go, too."""
    requests.delete(os.environ["HCLOUD_SIM_URL"] + "/_sim/faults", timeout=DEADLINE_S).raise_for_status()


def get(path, **parameters):
    return client.request("GET", path, params=parameters)


def state():
    """Everything there is, as the simulator has it."""
    return requests.get(os.environ["HCLOUD_SIM_URL"] + "/_sim/state", timeout=DEADLINE_S).json()
