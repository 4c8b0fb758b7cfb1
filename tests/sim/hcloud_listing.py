"""How the simulator lists: pages, order, filters and label selectors, asked by python3-hcloud."""
import os
import subprocess
from urllib.parse import parse_qs, urlsplit

from hcloud.networks.domain import NetworkSubnet

from judge import FSN, IMAGE, PRIVATE, TYPE, answers, client, done, get, refused, same


def names(path, **parameters):
    return [item["name"] for item in get(path, **parameters)[path[1:]]]


def judge_fleet():
    network = client.networks.create("fleet", "10.70.0.0/16", subnets=[
        NetworkSubnet("10.70.1.0/24", type="cloud", network_zone="eu-central")])
    responses = []
    for number in range(62):
        responses.append(client.servers.create(f"w{number:02}", TYPE, IMAGE, location=FSN, networks=[network],
                                               public_net=PRIVATE, labels={"parity": str(number % 2), "n": str(number)}))
    for response in responses:
        done(response.action, *response.next_actions)
    servers = client.servers.get_all()
    same("62 servers, on two pages", [server.name for server in servers], [f"w{number:02}" for number in range(62)])
    same("… have addresses of their own", len({server.private_net[0].ip for server in servers}), 62)
    listed = subprocess.run(["hcloud", "server", "list", "-s", "name:desc", "-o", "noheader", "-o", "columns=name"],
                            stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, "HCLOUD_CONFIG": "/nonexistent"})
    same("… the official command sees them, too", listed.stdout.split(), [f"w{number:02}" for number in range(61, -1, -1)])
    judge_pages()
    judge_links()
    judge_order_of_pages()
    for selector, count in (("parity=1", 31), ("parity==0,n!=0", 30), ("n in (1,2,3,99)", 3), ("n notin (1,2,3)", 59),
                            ("parity", 62), ("!parity", 0), ("parity=1,!missing", 31)):
        same(f"the selector '{selector}'", len(client.servers.get_all(label_selector=selector)), count)
    same("by name", [server.name for server in client.servers.get_all(name="w07")], ["w07"])
    same("by status", (len(client.servers.get_all(status=["running", "off"])), client.servers.get_all(status=["off"])),
         (62, []))
    same("the network knows them all", len(client.networks.get_by_id(network.id).servers), 62)
    for action in [server.delete() for server in servers]:
        done(action)
    same("none is left", client.servers.get_all(), [])
    network.delete()


def judge_pages():
    page = client.servers.get_list(page=2, per_page=25)
    same("a page", [server.name for server in page.servers], [f"w{number:02}" for number in range(25, 50)])
    members = ("page", "per_page", "previous_page", "next_page", "last_page", "total_entries")
    for what, asked, expected in (
            ("the first page of as many as there are without being asked", {}, (1, 25, None, 2, 3, 62)),
            ("one in the middle", {"page": 2, "per_page": 25}, (2, 25, 1, 3, 3, 62)),
            ("the last", {"page": 3, "per_page": 25}, (3, 25, 2, None, 3, 62)),
            ("one at a time", {"page": 62, "per_page": 1}, (62, 1, 61, None, 62, 62)),
            ("fifty", {"per_page": 50}, (1, 50, None, 2, 2, 62)),
            ("never more", {"per_page": 51}, (1, 50, None, 2, 2, 62)),
            ("by far", {"per_page": 1000, "page": 2}, (2, 50, 1, None, 2, 62)),
            ("beyond the last", {"page": 9, "per_page": 50}, (9, 50, 8, None, 2, 62)),
            ("nothing to be found", {"name": "nobody"}, (1, 25, None, None, 1, 0))):
        answer = get("/servers", **asked)
        pages = answer["meta"]["pagination"]
        page, per_page, total = expected[0], expected[1], expected[5]
        same(f"pages: {what}", (tuple(pages[name] for name in members), len(answer["servers"])),
             (expected, max(0, min(per_page, total - (page - 1) * per_page))))
    for asked in ({"page": 0}, {"page": -1}, {"page": "x"}, {"page": ""}, {"per_page": 0}, {"per_page": "1.5"},
                  {"page": 1 << 40}):
        details = refused("invalid_input", f"pages: {asked} is none", lambda asked=asked: get("/servers", **asked))
        same("… the field is named", details["fields"][0]["name"], next(iter(asked)))


def judge_links():
    """Whoever follows the headers alone sees the same as whoever counts."""
    seen = names("/servers", label_selector="parity in (0,1),n!=7", sort="name:desc", per_page=25)
    relations = [set(answers[0].links)]
    while "next" in answers[0].links:
        link = urlsplit(answers[0].links["next"]["url"])
        seen += names(link.path.removeprefix("/v1"), **parse_qs(link.query))
        relations.append(set(answers[0].links))
    same("links lead on, filter and order kept", seen, [f"w{number:02}" for number in range(61, -1, -1) if number != 7])
    same("… and say where they lead", relations, [{"next", "last"}, {"prev", "next", "last"}, {"prev"}])


def judge_order_of_pages():
    same("order goes over pages", names("/servers", sort="name:desc", per_page=50, page=2),
         [f"w{number:02}" for number in range(11, -1, -1)])
    servers = [server for page in (1, 2) for server in get("/servers", per_page=50, page=page)["servers"]]
    by_age = sorted(sorted(servers, key=lambda server: server["name"]), key=lambda server: server["created"], reverse=True)
    same("the newest first, those of the same second by name", names("/servers", sort=["created:desc", "name:asc"], per_page=50),
         [server["name"] for server in by_age[:50]])


SORTED_BY = {
    "/servers": ("id", "name", "created"), "/networks": ("id", "name", "created"), "/firewalls": ("id", "name", "created"),
    "/placement_groups": ("id", "name", "created"), "/images": ("id", "name", "created"), "/ssh_keys": ("id", "name"),
    "/locations": ("id", "name"), "/server_types": ("id", "name"), "/primary_ips": ("id", "created"),
}


def judge_order():
    made = [client.firewalls.create(name).firewall for name in ("b", "c", "a")]
    for path, fields in SORTED_BY.items():
        wrong = []
        for field in fields:
            for direction, is_reversed in (("", False), (":asc", False), (":desc", True)):
                found = [item[field] or "" for item in get(path, sort=field + direction, per_page=50)[path[1:]]]
                if found != sorted(found, reverse=is_reversed):
                    wrong.append((field + direction, found))
        same(f"{path} in the order of {', '.join(fields)}", wrong, [])
        for field in sorted({"name", "created", "status"}.difference(fields)):
            refused("invalid_input", f"… not of {field}", lambda path=path, field=field: get(path, sort=field))
    actions = [item.id for item in client.firewalls.get_actions(made[0])]
    for bad in ("name:up", "name:", ":asc", "", "NAME", "id name", "id,name", "id:asc:desc", " id"):
        details = refused("invalid_input", f"the order '{bad}'", lambda bad=bad: get("/firewalls", sort=bad))
        same("… the field is named", details["fields"][0]["name"], "sort")
    refused("invalid_input", "nine orders", lambda: get("/firewalls", sort=["id"] * 9))
    same("without an order, the oldest first", names("/firewalls"), ["b", "c", "a"])
    same("… no actions yet", actions, [])
    actions = client.firewalls.set_rules(made[0], []) + client.firewalls.set_rules(made[1], [])
    done(*actions)
    for field in ("id", "command", "status", "started", "finished"):
        found = get("/actions", id=[action.id for action in actions], sort=f"{field}:desc")["actions"]
        same(f"actions in the order of {field}", [item[field] for item in found],
             sorted((item[field] for item in found), reverse=True))
    refused("invalid_input", "… not of resources", lambda: get("/actions", id=actions[0].id, sort="resources"))
    for firewall in made:
        firewall.delete()


LABELS = {
    "a": {"env": "prod", "example.com/tier": "db"},
    "b": {"env": "test", "empty": ""},
    "c": {},
    "d": {"env": "prod", "in": "x", "not-in": "1.5_z"},
}
SELECTORS = (
    ("env", "abd"), ("!env", "c"), ("env=prod", "ad"), ("env==prod", "ad"), ("env!=prod", "bc"), ("env in (prod,test)", "abd"),
    ("env in (test)", "b"), ("env notin (prod)", "bc"), ("env notin (prod,test)", "c"), ("env=nope", ""), ("nope!=x", "abcd"),
    ("empty", "b"), ("empty=", "b"), ("empty==", "b"), ("empty!=", "acd"), ("env=", ""), ("example.com/tier=db", "a"),
    ("!example.com/tier,env", "bd"), ("env=prod,in=x", "d"), ("env=prod,!in", "a"), ("env=prod,env=test", ""),
    ("env in (prod,test),env!=test,not-in==1.5_z", "d"), ("in in (x,y)", "d"), ("in notin (x)", "abc"), ("in", "d"),
    (" env = prod , !in ", "a"), ("env  in  ( prod , test )", "abd"), ("", "abcd"),
)
MALFORMED = (
    ("env prod", "comma at pos 4"), ("env=prod test", "comma at pos 9"), ("!env=prod", "comma at pos 4"),
    ("env>1", "comma at pos 3"), ("env=prod;in", "comma at pos 8"), ("env in (a))", "comma at pos 10"),
    ("=prod", "label key at pos 0"), ("!", "label key at pos 1"), (",env", "label key at pos 0"), ("env,", "label key at pos 4"),
    ("env,,in", "label key at pos 4"), ("-env", "label key at pos 0"), ("a/b/c", "label key at pos 0"),
    ("x" * 64, "label key at pos 0"), ("env=-x", "label value at pos 4"), ("env=a/b", "label value at pos 4"),
    ("env!=" + "x" * 64, "label value at pos 5"), ("env in prod", "opening parenthesis at pos 7"),
    ("env notin", "opening parenthesis at pos 9"), ("env in (prod", "closing parenthesis at pos 12"),
    ("env in (a b)", "closing parenthesis at pos 10"), ("env in (_a)", "label value at pos 8"),
)


def judge_selectors():
    groups = [client.placement_groups.create(name, "spread", labels=labels).placement_group for name, labels in LABELS.items()]
    for selector, expected in SELECTORS:
        same(f"the selector '{selector}'", "".join(names("/placement_groups", label_selector=selector)), expected)
    for selector, problem in MALFORMED:
        refused("invalid_input", f"no selector: '{selector}'",
                lambda selector=selector: get("/placement_groups", label_selector=selector),
                f"invalid label_selector: expected {problem}")
    refused("invalid_input", "… nor for other kinds", lambda: client.servers.get_all(label_selector="parity = 1 n=2"))
    for group in groups:
        group.delete()


LISTING_JUDGES = (judge_fleet, judge_order, judge_selectors)
