"""Every error that the simulator knows, provoked by python3-hcloud; with it the rate limit, tokens, and metrics."""
import email.utils
import pathlib
import re
import time

from hcloud.actions.client import BoundAction
from hcloud.actions.domain import ActionFailedException
from hcloud.networks.domain import NetworkRoute, NetworkSubnet
from hcloud.primary_ips.client import BoundPrimaryIP
from hcloud.server_types.domain import ServerType
from hcloud.servers.domain import ServerCreatePublicNetwork

from judge import PRIVATE, answers, client, create, done, fault, get, heal, new_client, refusals, refused, result, same, state

ACTION_ERRORS = {"action_failed", "unknown_error"}  # they have no status of their own
STATUSES = {
    400: "json_error",
    401: "unauthorized token_readonly",
    403: "forbidden maintenance resource_limit_exceeded limit_reached",
    404: "not_found",
    405: "method_not_allowed",
    409: "uniqueness_error conflict",
    410: "deprecated_api_endpoint",
    412: "resource_unavailable primary_ip_version_mismatch",
    422: """invalid_input service_error unsupported_error placement_error primary_ip_assigned primary_ip_datacenter_mismatch
        primary_ip_already_assigned must_be_unassigned server_has_ipv4 server_has_ipv6 server_already_attached
        ip_not_available no_subnet_available networks_overlap vswitch_id_already_used server_not_stopped
        already_in_placement_group placement_group_member_limit_reached invalid_server_type server_already_added
        incompatible_network_type firewall_resource_not_found firewall_already_applied firewall_managed_by_label_selector
        private_net_only_server resource_in_use no_space_left_in_location volume_already_attached""",
    423: "locked protected resource_locked",
    429: "rate_limit_exceeded",
    500: "server_error",
    502: "bad_gateway",
    503: "unavailable robot_unavailable",
    504: "timeout",
}
# What no request leads to by itself: the account's, the provider's own troubles, and what is not modelled.
BY_FAULT_ONLY = {
    "forbidden", "maintenance", "limit_reached", "placement_error", "incompatible_network_type", "no_space_left_in_location",
    "volume_already_attached", "resource_locked", "server_error", "bad_gateway", "unavailable", "robot_unavailable", "timeout",
}


def judge_refusals():
    stranger = new_client("x" * 64)
    refused("unauthorized", "a wrong token", stranger.servers.get_all, "the token you have provided is invalid")
    same("… has a budget, too", "RateLimit-Remaining" in answers[0].headers, True)
    for name in ("servers", "networks", "firewalls", "placement_groups", "primary_ips", "ssh_keys", "locations", "isos"):
        refused("not_found", f"no such thing among the {name}", lambda name=name: getattr(client, name).get_by_id(1 << 40))
    refused("not_found", "no such action", lambda: client.actions.get_by_id(1))
    for body in (b"{", b"[]", b"7", b"\xff"):
        refused("json_error", f"the body {body}", lambda body=body: client.request("POST", "/ssh_keys", data=body))
    refused("method_not_allowed", "a method that there is not", lambda: client.request("PATCH", "/ssh_keys"))
    details = refused("deprecated_api_endpoint", "actions are not listed without ids", lambda: get("/actions"))
    same("… the announcement is named", details["announcement"][:40], "https://docs.hetzner.cloud/changelog#202")
    same("answers have a correlation id", bool(re.fullmatch("[0-9a-f]{16}", answers[0].headers["X-Correlation-Id"])), True)


def judge_limits_of_networks():
    network = client.networks.create("wide", "10.80.0.0/16")
    first, again = [NetworkSubnet(f"10.80.{i}.0/24", type="vswitch", network_zone="eu-central", vswitch_id=7) for i in range(2)]
    done(network.add_subnet(first))
    network.reload()
    same("a subnet of a vSwitch", (network.subnets[0].type, network.subnets[0].vswitch_id), ("vswitch", 7))
    refused("vswitch_id_already_used", "… which is in it already", lambda: network.add_subnet(again))
    other = client.networks.create("other", "10.80.0.0/16")
    refused("vswitch_id_already_used", "… also when it is for another network", lambda: other.add_subnet(again))
    other.delete()
    # The library leaves vSwitches out of what it creates.
    twice = [{"type": "vswitch", "ip_range": f"10.81.{i}.0/24", "network_zone": "eu-central", "vswitch_id": 8} for i in range(2)]
    refused("vswitch_id_already_used", "… and twice in a new one", lambda: client.request(
        "POST", "/networks", json={"name": "other", "ip_range": "10.81.0.0/16", "subnets": twice}))
    refused("invalid_input", "a vSwitch needs its id", lambda: network.add_subnet(
        NetworkSubnet("10.80.1.0/24", type="vswitch", network_zone="eu-central")))
    refused("invalid_input", "… and nothing else has one", lambda: network.add_subnet(
        NetworkSubnet("10.80.1.0/24", type="cloud", network_zone="eu-central", vswitch_id=9)))
    refused("invalid_input", "no route leads behind it", lambda: network.add_route(NetworkRoute("10.99.0.0/16", "10.80.0.9")))
    server = create("on-foot", start_after_create=False, public_net=PRIVATE)
    refused("no_subnet_available", "… nor is a server there", lambda: server.attach_to_network(network))
    done(network.add_subnet(NetworkSubnet("10.80.1.0/29", type="cloud", network_zone="eu-central")))
    done(server.attach_to_network(network))
    refused("service_error", "a subnet with a server stays", lambda: network.delete_subnet(NetworkSubnet("10.80.1.0/29")))
    network.delete()
    done(server.delete())

    subnets = [NetworkSubnet(f"10.82.{i}.0/24", type="cloud", network_zone="eu-central") for i in range(51)]
    details = refused("resource_limit_exceeded", "51 subnets",
                      lambda: client.networks.create("full", "10.82.0.0/16", subnets=subnets))
    same("… the limit is named", details, {"limits": [{"name": "network_subnets_limit"}]})
    network = client.networks.create("full", "10.82.0.0/16", subnets=subnets[:50])
    same("50 are fine", len(network.subnets), 50)
    refused("resource_limit_exceeded", "… one more is not", lambda: network.add_subnet(subnets[50]))
    refused("resource_limit_exceeded", "… wherever it were", lambda: network.add_subnet(
        NetworkSubnet(None, type="cloud", network_zone="eu-central")))
    network.delete()
    small = client.networks.create("small", "10.83.0.0/24", subnets=[
        NetworkSubnet("10.83.0.4/30", type="cloud", network_zone="eu-central")])
    servers = [create(f"small{i}", start_after_create=False, public_net=PRIVATE, networks=[small]) for i in range(2)]
    same("a /30 has two addresses", [server.private_net[0].ip for server in servers], ["10.83.0.5", "10.83.0.6"])
    refused("no_subnet_available", "… not three", lambda: create("small2", public_net=PRIVATE, networks=[small]))
    done(*[server.delete() for server in servers])
    small.delete()


def judge_limits_of_projects():
    groups = [client.placement_groups.create(f"group{i}", "spread").placement_group for i in range(50)]
    details = refused("resource_limit_exceeded", "50 placement groups, not 51",
                      lambda: client.placement_groups.create("more", "spread"))
    same("… the limit is named", details, {"limits": [{"name": "placement_group_limit"}]})
    for group in groups:
        group.delete()
    server = create("slow", start_after_create=False)
    fault("action:command=delete_server,ms=1200")
    action = server.delete()
    refused("uniqueness_error", "a name is taken until its server is gone", lambda: create("slow"))
    refused("locked", "… which is deleted once", server.delete)
    done(action)
    server = create("slow", start_after_create=False)
    same("… then it is free", server.name, "slow")
    done(BoundAction(client.actions, client.request("POST", f"/servers/{server.id}/actions/rebuild", json={
        "image": "debian-13", "user_data": "#cloud-config\n"})["action"]))
    kept = [other for project in state()["projects"] for other in project["tables"]["servers"] if other["id"] == server.id]
    same("a rebuilt server has other user data", [other["_user_data"] for other in kept], ["#cloud-config\n"])
    done(server.delete())


def judge_versions_of_addresses():
    answer = client.request("POST", "/primary_ips", json={"name": "six", "type": "ipv6", "location": "fsn1"})
    wide = BoundPrimaryIP(client.primary_ips, answer["primary_ip"])
    refused("primary_ip_version_mismatch", "an IPv6 address as IPv4", lambda: create(
        "wrong", public_net=ServerCreatePublicNetwork(ipv4=wide, enable_ipv6=False)))
    refused("unsupported_error", "an address that nobody has is not taken away", wide.unassign)
    owner = create("owner", start_after_create=False, public_net=ServerCreatePublicNetwork(enable_ipv4=False, ipv6=wide))
    refused("primary_ip_assigned", "an address that somebody has", lambda: create(
        "thief", public_net=ServerCreatePublicNetwork(enable_ipv4=False, ipv6=wide)))
    done(owner.delete())
    server = create("six", start_after_create=False, public_net=ServerCreatePublicNetwork(enable_ipv4=False))
    refused("server_has_ipv6", "one for each server", lambda: wide.assign(server.id, "server"))
    refused("invalid_server_type", "the type that it has", lambda: server.change_type(server.server_type, upgrade_disk=False))
    refused("invalid_server_type", "a type whose disk is too small", lambda: create("big", server_type=ServerType(
        name="cx33"), start_after_create=False).change_type(ServerType(name="cx23"), upgrade_disk=False))
    done(server.delete(), client.servers.get_by_name("big").delete())
    wide.delete()


def judge_what_is_sold():
    heal()
    fault("unavailable:type=cx23,location=fsn1,count=1")
    refused("resource_unavailable", "sold out", lambda: create("late"), "error during placement")
    fault("stock:type=cx33,location=fsn1,available=0")

    def shown(name):
        return {place["name"]: place["available"] for place in get("/server_types", name=name)["server_types"][0]["locations"]}

    same("the list says that there are none left", shown("cx33")["fsn1"], False)
    same("… there, of those", (shown("cx33")["hel1"], shown("cx23")["fsn1"]), (True, True))
    server = create("bought", server_type=ServerType(name="cx33"), start_after_create=False)
    same("… and is wrong", server.status, "off")
    done(server.delete())
    heal()


def judge_metrics():
    server = create("measured", start_after_create=False)
    path = f"/servers/{server.id}/metrics"
    start = int(time.time()) - 7200

    def of(kind, seconds, **more):
        return get(path, type=kind, start=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start)),
                   end=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(start + seconds)), **more)["metrics"]

    def samples(metrics):
        return metrics["time_series"]["cpu"]["values"]

    cpu = of("cpu", 3600, step=60)
    same("an hour of minutes", (cpu["step"], list(cpu["time_series"]), len(samples(cpu))), (60, ["cpu"], 60))
    same("… from its beginning", samples(cpu)[:2], [[start, "0.0"], [start + 60, "0.1"]])
    cpu = of("cpu", 3600)
    same("without a step there are 200 samples", (cpu["step"], len(samples(cpu))), (18, 200))
    cpu = of("cpu", 3600, step=1)
    same("never more than 500", (cpu["step"], len(samples(cpu))), (8, 450))
    disk = {f"disk.0.{what}" for what in ("iops.read", "iops.write", "bandwidth.read", "bandwidth.write")}
    network = {f"network.0.{what}" for what in ("pps.in", "pps.out", "bandwidth.in", "bandwidth.out")}
    same("several types", set(of("disk,network", 60)["time_series"]), disk | network)
    same("… in as many words", set(of(["disk", "cpu"], 60)["time_series"]), disk | {"cpu"})
    same("nothing of what has not been", samples(of("cpu", 7200 + 3600, step=60))[-1][0] <= time.time(), True)
    start -= 31 * 24 * 3600
    same("… nor of what is long ago", samples(of("cpu", 3600)), [])
    for what, call in (("memory", lambda: of("memory", 60)), ("no type", lambda: of("", 60)), ("no time", lambda: of("cpu", 0)),
                       ("the way back", lambda: of("cpu", -60)), ("no step", lambda: of("cpu", 60, step=0)),
                       ("no dates", lambda: get(path, type="cpu")),
                       ("yesterday", lambda: get(path, type="cpu", start="yesterday", end="today"))):
        refused("invalid_input", f"metrics of {what}", call)
    done(server.delete())


def budget():
    """Limit, remaining, and seconds from the answer's date until the bucket is full again."""
    headers = answers[0].headers
    sent_at = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    return (int(headers["RateLimit-Limit"]), int(headers["RateLimit-Remaining"]), int(headers["RateLimit-Reset"]) - sent_at)


def judge_rate_limit():
    """An hour fills the bucket, one request at a time: full again is as many seconds away as requests are missing."""
    def left(what, limit, remaining, since=None):
        """So many, and those that came in meanwhile; a second may turn between the answer's two clocks."""
        gained = 1 + (time.monotonic() - since) * limit / 3600 if since else 0
        actual = budget()
        full_s = (limit - actual[1]) * 3600 / limit
        result(actual[0] == limit and remaining <= actual[1] <= remaining + gained and -2 <= actual[2] - full_s <= 1, what,
               actual)

    for limit, remaining in ((3600, 1000), (7200, 100)):
        fault(f"rate-limit:limit={limit},remaining={remaining}")
        begun = time.monotonic()
        client.locations.get_all()
        left(f"{remaining} of {limit} requests are left", limit, remaining - 1)
        client.locations.get_all()
        left("… and one less", limit, remaining - 2, begun)
    fault("rate-limit:limit=3600,remaining=0")
    details = refused("rate_limit_exceeded", "none are left", lambda: client.request("GET", "/locations", tries=5),
                      "limit of 3600 requests per hour reached")
    same("… there are no details", details, None)
    left("… and it takes an hour", 3600, 0)
    fault("rate-limit:limit=3600,remaining=0")
    refused("rate_limit_exceeded", "… for writing, too", lambda: client.request("POST", "/ssh_keys", tries=5, json={}))
    fault("rate-limit:limit=3600,remaining=3600")
    client.locations.get_all()
    left("full again", 3600, 3599)
    fault("rate-limit:limit=3600,remaining=0")
    fault("rate-limit:limit=3600,remaining=3600")
    same("a client that asks again is served", len(client.locations.get_all()), 6)


def judge_tokens():
    fault("token:mode=readonly")
    refused("token_readonly", "a token that only reads", lambda: client.placement_groups.create("no", "spread"),
            "the token is only allowed to perform GET requests")
    same("… reads", client.placement_groups.get_all(), [])
    heal()
    fault("token:mode=revoked")
    refused("unauthorized", "a token that was revoked", client.servers.get_all, "the token you have provided is invalid")
    heal()


def judge_every_error():
    """By now all have been met that requests lead to. The others are answered when they are asked for."""
    table = pathlib.Path("sim/hcloud/problems.def").read_text("utf-8")
    known = set(re.findall(r'^X\([A-Z_0-9]+, "([a-z_0-9]+)"', table, re.M))
    status_of = {code: status for status, codes in STATUSES.items() for code in codes.split()}
    same("every error has its status", known, set(status_of) | ACTION_ERRORS)
    same("requests lead to all that they can lead to", known - set(refusals), BY_FAULT_ONLY | ACTION_ERRORS)
    for code in sorted(BY_FAULT_ONLY):
        fault(f"status:path=/locations,code={code},message=told so")
        refused(code, f"{code} when it is asked for", client.locations.get_all, "told so")
    wrong = {code: statuses for code, statuses in refusals.items() if statuses != {status_of[code]}}
    # 422 where a firewall is created, 404 where it is applied.
    same("each came with its status", wrong, {"firewall_resource_not_found": {404, 422}})
    fault("status:path=/primary_ips,code=unavailable,status=412")
    refused("unavailable", "an address that cannot be had", client.primary_ips.get_all)
    same("… has another status", answers[0].status_code, 412)
    for code in sorted(ACTION_ERRORS):
        fault(f"action:command=create_server,error={code},message=no luck,vanish=1")
        try:
            create("unlucky")
            result(False, f"{code}, of an action")
        except ActionFailedException as failure:
            same(f"{code}, of an action", failure.action.error, {"code": code, "message": "no luck"})


ERROR_JUDGES = (judge_refusals, judge_limits_of_networks, judge_limits_of_projects, judge_versions_of_addresses,
                judge_what_is_sold, judge_metrics, judge_rate_limit, judge_tokens, judge_every_error)
