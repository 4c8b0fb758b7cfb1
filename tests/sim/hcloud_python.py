"""The simulator of Hetzner Cloud, judged by python3-hcloud, resource by resource; then listings and errors."""
import base64
import struct
import sys
import time
import traceback

from hcloud import APIException
from hcloud.actions.client import BoundAction
from hcloud.actions.domain import ActionFailedException
from hcloud.datacenters.domain import Datacenter
from hcloud.firewalls.domain import FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.images.domain import Image
from hcloud.locations.domain import Location
from hcloud.networks.domain import NetworkRoute, NetworkSubnet
from hcloud.primary_ips.client import BoundPrimaryIP
from hcloud.server_types.domain import ServerType
from hcloud.servers.domain import Server

from hcloud_errors import ERROR_JUDGES
from hcloud_listing import LISTING_JUDGES
from judge import (DEADLINE_S, FSN, IMAGE, POLL_S, PRIVATE, TYPE, client, create, done, eventually, refused, result, results,
                   same)


def public_key(number):
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + number.to_bytes(32, "big")
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} judge"


def judge_ssh_keys():
    key = client.ssh_keys.create("key", public_key(1), labels={"a": "b"})
    same("an SSH key is as it was created", (key.name, key.public_key, key.labels), ("key", public_key(1), {"a": "b"}))
    same("… found by name", client.ssh_keys.get_by_name("key").id, key.id)
    same("… by fingerprint", client.ssh_keys.get_by_fingerprint(key.fingerprint).id, key.id)
    details = refused("uniqueness_error", "the same key again", lambda: client.ssh_keys.create("key2", public_key(1)),
                      "SSH key with the same fingerprint already exists")
    same("… the field is named", details, {"fields": [{"name": "public_key"}]})
    same("labels are replaced", key.update(labels={"c": "d"}).labels, {"c": "d"})
    details = refused("invalid_input", "a label with a bad value", lambda: key.update(labels={"c": "no spaces"}))
    same("… the field is named", details["fields"][0]["name"], "labels")
    refused("invalid_input", "a label that begins with a dash", lambda: key.update(labels={"-c": "d"}))
    refused("invalid_input", "a label of 64 characters", lambda: key.update(labels={"c": "x" * 64}))
    refused("invalid_input", "a reserved label", lambda: key.update(labels={"hetzner.cloud/x": "y"}))
    same("a prefix is fine, and 63 characters, and none", key.update(labels={"example.com/x": "y" * 63, "z": ""}).labels,
         {"example.com/x": "y" * 63, "z": ""})
    same("deletion", key.delete(), True)
    refused("not_found", "… for good", lambda: client.ssh_keys.get_by_id(key.id))


def judge_catalog():
    types = {server_type.name: server_type for server_type in client.server_types.get_all()}
    price = {price["location"]: price for price in types["cx23"].prices}
    same("a type", (types["cx23"].cores, types["cx23"].memory, types["cx23"].disk, types["cx23"].cpu_type),
         (2, 4, 40, "shared"))
    same("… is sold in Europe only", sorted(price), ["fsn1", "hel1", "nbg1"])
    same("… prices are decimal strings", price["fsn1"]["price_hourly"],
         {"net": "0.0088000000", "gross": "0.0104720000000000"})
    same("… a month", price["fsn1"]["price_monthly"]["net"], "5.4900000000")
    same("a type by name", client.server_types.get_by_name("cax11").id, types["cax11"].id)
    same("locations and their zones", [(place.name, place.network_zone) for place in client.locations.get_all()],
         [("fsn1", "eu-central"), ("nbg1", "eu-central"), ("hel1", "eu-central"), ("ash", "us-east"), ("hil", "us-west"),
          ("sin", "ap-southeast")])
    images = client.images.get_all(name="debian-12")
    same("an image's name is there for each architecture", len(images), 2)
    same("deprecated images are not listed", client.images.get_all(name="ubuntu-20.04"), [])
    same("… unless asked for", len(client.images.get_all(name="ubuntu-20.04", include_deprecated=True)), 1)
    same("images by type", {image.type for image in client.images.get_all(type="app")}, {"app"})
    refused("not_found", "an unknown image", lambda: client.images.get_by_id(1))
    refused("deprecated_api_endpoint", "datacenters are gone", client.datacenters.get_all)
    for name in ("volumes", "floating_ips", "load_balancers", "load_balancer_types", "certificates", "isos"):
        same(f"there are no {name}", getattr(client, name).get_all(), [])


def judge_networks():
    network = client.networks.create("net", "10.0.0.0/16", labels={"x": "y"}, subnets=[
        NetworkSubnet("10.0.1.0/24", type="cloud", network_zone="eu-central")],
        routes=[NetworkRoute("10.100.0.0/16", "10.0.1.9")])
    subnet = network.subnets[0]
    same("a network with a subnet", (subnet.ip_range, subnet.gateway, subnet.network_zone),
         ("10.0.1.0/24", "10.0.0.1", "eu-central"))
    same("… and a route", [(route.destination, route.gateway) for route in network.routes], [("10.100.0.0/16", "10.0.1.9")])
    same("… without servers, unprotected", (network.servers, network.protection), ([], {"delete": False}))
    details = refused("uniqueness_error", "its name is taken", lambda: client.networks.create("net", "10.0.0.0/16"))
    same("… the field is named", details, {"fields": [{"name": "name"}]})
    for bad in ("10.0.0.0/25", "10.0.0.1/16", "11.0.0.0/16", "10.0.0.0", "x", ""):
        refused("invalid_input", f"the range '{bad}'", lambda bad=bad: client.networks.create("bad", bad))
    refused("invalid_input", "no name", lambda: client.networks.create("", "10.0.0.0/16"))
    refused("invalid_input", "subnets that overlap", lambda: client.networks.create("bad", "10.0.0.0/16", subnets=[
        NetworkSubnet("10.0.1.0/24", type="cloud", network_zone="eu-central"),
        NetworkSubnet("10.0.1.0/25", type="cloud", network_zone="eu-central")]))
    action = network.add_subnet(NetworkSubnet("10.0.2.0/24", type="cloud", network_zone="us-east"))
    same("adding a subnet is an action", (action.command, [(about["type"], about["id"]) for about in action.resources]),
         ("add_subnet", [("network", network.id)]))
    refused("conflict", "… during which the network does not change", lambda: network.add_subnet(
        NetworkSubnet("10.0.3.0/24", type="cloud", network_zone="us-east")))
    refused("conflict", "… nor its name", lambda: network.update(name="other"))
    refused("conflict", "… nor is it deleted", network.delete)
    done(action)
    network.reload()
    same("… and then it is there", sorted(item.ip_range for item in network.subnets), ["10.0.1.0/24", "10.0.2.0/24"])
    refused("invalid_input", "a subnet over the route", lambda: network.add_subnet(
        NetworkSubnet("10.100.1.0/24", type="cloud", network_zone="us-east")))
    done(network.delete_subnet(NetworkSubnet("10.0.2.0/24")))
    done(network.add_route(NetworkRoute("192.168.7.0/24", "10.0.1.9")))
    done(network.delete_route(NetworkRoute("10.100.0.0/16", "10.0.1.9")))
    network.reload()
    same("routes come and go", [route.destination for route in network.routes], ["192.168.7.0/24"])
    refused("invalid_input", "a route over 172.31.1.1", lambda: network.add_route(
        NetworkRoute("172.31.0.0/16", "10.0.1.9")))
    refused("invalid_input", "a range that shrinks", lambda: network.change_ip_range("10.0.0.0/17"))
    refused("invalid_input", "a range that moves", lambda: network.change_ip_range("10.0.1.0/15"))
    done(network.change_ip_range("10.0.0.0/12"))
    done(network.change_protection(delete=True))
    network.reload()
    same("range and protection", (network.ip_range, network.protection), ("10.0.0.0/12", {"delete": True}))
    refused("protected", "… hold", network.delete)
    done(network.change_protection(delete=False))
    actions = client.networks.get_actions(network)
    same("its actions are listed, all ended", {action.status for action in actions}, {"success"})
    same("… sorted", [action.command for action in client.networks.get_actions(network, sort="id:asc")][:2],
         ["add_subnet", "delete_subnet"])
    same("deletion", network.delete(), True)
    refused("not_found", "… for good", network.reload)


def judge_servers():
    network = client.networks.create("servers", "10.20.0.0/16", subnets=[
        NetworkSubnet("10.20.1.0/24", type="cloud", network_zone="eu-central")])
    key = client.ssh_keys.create("servers", public_key(2))
    response = client.servers.create("alpha", TYPE, IMAGE, location=FSN, networks=[network], user_data="#cloud-config\n",
                                     labels={"managed-by": "judge", "n": "1"})
    same("what creation begins with", (response.action.command, [action.command for action in response.next_actions]),
         ("create_server", ["start_server", "attach_to_network"]))
    same("… a password, for want of a key", bool(response.root_password), True)
    same("… the server is being made, and locked", (response.server.status, response.server.locked), ("initializing", True))
    refused("locked", "… and nothing else is done to it", response.server.reboot,
            "cannot perform operation because resource is locked")
    refused("locked", "… nor its reverse DNS", lambda: response.server.change_dns_ptr("198.18.0.1", "a.example.org"))
    refused("locked", "… nor is it deleted", response.server.delete)
    done(response.action, *response.next_actions)
    alpha = client.servers.get_by_name("alpha")
    same("then it runs", (alpha.status, alpha.locked, alpha.primary_disk_size), ("running", False, 40))
    same("… in its network", [(net.network.id, net.ip, net.alias_ips) for net in alpha.private_net],
         [(network.id, "10.20.1.1", [])])
    same("… with public addresses", (alpha.public_net.ipv4.ip[:4], alpha.public_net.ipv6.ip[-3:]), ("198.", "/64"))
    same("… unprotected, without backups", (alpha.protection, alpha.backup_window, alpha.rescue_enabled),
         ({"delete": False, "rebuild": False}, None, False))
    response = client.servers.create("beta", TYPE, IMAGE, location=FSN, networks=[network], ssh_keys=[key],
                                     public_net=PRIVATE, start_after_create=False)
    done(response.action, *response.next_actions)
    same("a private server that is not started", [action.command for action in response.next_actions], ["attach_to_network"])
    same("… has no password, for it has a key", response.root_password, None)
    beta = client.servers.get_by_name("beta")
    same("… is off, with a private address only", (beta.status, beta.public_net.ipv4, beta.public_net.ipv6, beta.private_net[0].ip),
         ("off", None, None, "10.20.1.2"))
    details = refused("uniqueness_error", "names are there once", lambda: create("beta"), "server name is already used")
    same("… the field is named", details, {"fields": [{"name": "name"}]})
    judge_bad_servers()
    judge_attachment(network, alpha, beta)
    judge_life(alpha)
    same("deletion is an action", alpha.delete().command, "delete_server")
    eventually("… then it is gone", lambda: client.servers.get_by_name("alpha") is None)
    done(beta.delete())
    eventually("… and the network empty", lambda: client.networks.get_by_id(network.id).servers == [])
    network.delete()


def judge_bad_servers():
    refused("invalid_input", "a name that is no host name", lambda: create("-x"))
    refused("invalid_input", "an unknown type", lambda: create("x", server_type=ServerType(name="cx999")))
    refused("invalid_input", "an unknown image", lambda: create("x", image=Image(name="plan9")))
    refused("invalid_input", "an unknown location", lambda: create("x", location=Location(name="mars1")))
    refused("not_found", "an unknown network", lambda: create("x", networks=[Server(id=1)]))
    refused("invalid_input", "a type that is not sold there", lambda: create("x", location=Location(name="ash")),
            "unsupported location for server type")
    refused("invalid_input", "a type that is gone", lambda: create("x", server_type=ServerType(name="cx22")),
            "unsupported location for server type")
    refused("invalid_input", "user data of more than 32 KiB", lambda: create("x", user_data="x" * 32769))
    same("nothing was made", client.servers.get_all(name="x"), [])


def judge_attachment(network, alpha, beta):
    refused("server_already_attached", "attached once", lambda: alpha.attach_to_network(network))
    done(alpha.detach_from_network(network))
    alpha.reload()
    same("detached", alpha.private_net, [])
    refused("ip_not_available", "an address of another server", lambda: alpha.attach_to_network(network, ip="10.20.1.2"),
            "IP not available")
    for reserved in ("10.20.0.1", "10.20.1.0", "10.20.1.255"):
        refused("invalid_input", f"{reserved} is not given", lambda ip=reserved: alpha.attach_to_network(network, ip=ip))
    action = alpha.attach_to_network(network, ip="10.20.1.254", alias_ips=["10.20.1.50"])
    same("an action of server and network", (action.command, sorted(about["type"] for about in action.resources)),
         ("attach_to_network", ["network", "server"]))
    done(action)
    alpha.reload()
    same("the last ordinary address is fine", [(net.ip, net.alias_ips) for net in alpha.private_net],
         [("10.20.1.254", ["10.20.1.50"])])
    refused("invalid_input", "six aliases", lambda: alpha.change_alias_ips(
        network, [f"10.20.1.{last}" for last in range(60, 66)]))
    refused("ip_not_available", "an alias that is a server's address", lambda: alpha.change_alias_ips(network, ["10.20.1.2"]))
    refused("invalid_input", "an alias twice", lambda: alpha.change_alias_ips(network, ["10.20.1.60"] * 2))
    done(alpha.change_alias_ips(network, ["10.20.1.60", "10.20.1.61"]))
    alpha.reload()
    same("aliases are replaced", alpha.private_net[0].alias_ips, ["10.20.1.60", "10.20.1.61"])
    overlapping = client.networks.create("overlap", "10.20.0.0/17", subnets=[
        NetworkSubnet("10.20.1.0/24", type="cloud", network_zone="eu-central")])
    refused("networks_overlap", "networks that overlap", lambda: beta.attach_to_network(overlapping))
    overlapping.delete()
    empty = client.networks.create("empty", "10.40.0.0/16")
    refused("no_subnet_available", "a network without subnets", lambda: beta.attach_to_network(empty))
    empty.delete()
    others = []
    for number in (1, 2, 3):
        others.append(client.networks.create(f"more{number}", f"10.{50 + number}.0.0/16", subnets=[
            NetworkSubnet(f"10.{50 + number}.1.0/24", type="cloud", network_zone="eu-central")]))
    done(beta.attach_to_network(others[0]))
    done(beta.attach_to_network(others[1]))
    refused("resource_limit_exceeded", "three networks for a server, not four", lambda: beta.attach_to_network(others[2]))
    for other in others:
        other.delete()
    beta.reload()
    same("deleted networks let go of their servers", [net.network.id for net in beta.private_net], [network.id])


def judge_life(server):
    def status():
        server.reload()
        return server.status

    action = server.power_off()
    same("power off", action.command, "stop_server")
    refused("locked", "… one thing at a time", server.power_on)
    done(action)
    same("… is off", status(), "off")
    done(server.change_type(ServerType(name="cx33"), upgrade_disk=False))
    server.reload()
    same("another type, the disk kept", (server.server_type.name, server.primary_disk_size), ("cx33", 40))
    refused("invalid_server_type", "a type of another architecture",
            lambda: server.change_type(ServerType(name="cax21"), upgrade_disk=False))
    done(server.power_on())
    same("power on", status(), "running")
    refused("server_not_stopped", "a running server keeps its type",
            lambda: server.change_type(ServerType(name="cx43"), upgrade_disk=False))
    for method, command in (("reboot", "reboot_server"), ("reset", "reset_server")):
        action = getattr(server, method)()
        same(method, action.command, command)
        done(action)
    action = server.shutdown()
    same("shutdown", action.command, "shutdown_server")
    done(action)
    eventually("… ends in off", lambda: status() == "off")
    done(server.power_on())
    response = server.create_image(description="frozen", type="snapshot", labels={"golden": "yes"})
    same("a snapshot", (response.action.command, response.image.type, response.image.status),
         ("create_image", "snapshot", "creating"))
    done(response.action)
    image = client.images.get_by_id(response.image.id)
    same("… is available", (image.status, image.description, image.name, image.created_from.id, image.disk_size),
         ("available", "frozen", None, server.id, 40))
    same("… found by label", [item.id for item in client.images.get_all(label_selector="golden=yes")], [image.id])
    same("… by type", [item.id for item in client.images.get_all(type="snapshot")], [image.id])
    done(image.change_protection(delete=True))
    refused("protected", "… and protected", image.delete)
    done(image.change_protection(delete=False))
    same("… updated", image.update(description="cold", labels={"a": "1"}).description, "cold")
    done(server.rebuild(image))
    server.reload()
    same("a server is rebuilt from it, and runs", (server.image.id, server.status), (image.id, "running"))
    image.delete()
    details = refused("invalid_input", "delete and rebuild are protected together",
                      lambda: server.change_protection(delete=True, rebuild=False))
    same("… the field is named", details["fields"][0]["name"], "rebuild")
    done(server.change_protection(delete=True, rebuild=True))
    refused("protected", "a protected server stays", server.delete)
    refused("protected", "… as it is", lambda: server.rebuild(IMAGE))
    done(server.change_protection(delete=False, rebuild=False))
    same("labels are replaced", server.update(labels={"only": "this"}).labels, {"only": "this"})
    same("a new name", server.update(name="alpha").name, "alpha")
    rescue = server.enable_rescue(type="linux64")
    done(rescue.action)
    same("rescue has a password", bool(rescue.root_password), True)
    done(server.disable_rescue())
    console = server.request_console()
    same("a console", (console.action.command, console.wss_url[:6]), ("request_console", "wss://"))
    done(console.action)
    actions = client.servers.get_actions(server, sort=["id:desc"])
    same("the last action comes first", actions[0].command, "request_console")
    same("… all ended well", {action.status for action in actions}, {"success"})
    same("one by its id", client.actions.get_by_id(actions[0].id).id, actions[0].id)


def judge_failed_start():
    response = client.servers.create("nonic", TYPE, IMAGE, location=FSN, public_net=PRIVATE)
    try:
        done(response.action, *response.next_actions)
        result(False, "a server without interfaces does not start")
    except ActionFailedException as failure:
        same("a server without interfaces does not start", (failure.action.command, failure.action.error), (
            "start_server",
            {"code": "invalid_input", "message": "no public or private network interfaces found, cannot start server"}))
    server = client.servers.get_by_name("nonic")
    same("… it is there, and off", server.status, "off")
    done(server.delete())


def judge_firewalls():
    server = create("walled", labels={"role": "edge"})
    private = client.networks.create("walled", "10.60.0.0/16", subnets=[
        NetworkSubnet("10.60.1.0/24", type="cloud", network_zone="eu-central")])
    inside = create("inside", networks=[private], public_net=PRIVATE, labels={"role": "edge"})
    rule = FirewallRule("in", "tcp", ["0.0.0.0/0", "::/0"], port="22", description="ssh")
    response = client.firewalls.create("wall", rules=[rule], labels={"a": "b"},
                                       resources=[FirewallResource("server", server=server)])
    same("rules are set and servers get them", [action.command for action in response.actions],
         ["set_firewall_rules", "apply_firewall"])
    done(*response.actions)
    wall = client.firewalls.get_by_id(response.firewall.id)
    same("what a firewall is", [(item.direction, item.protocol, item.port, item.source_ips, item.description)
                                for item in wall.rules], [("in", "tcp", "22", ["0.0.0.0/0", "::/0"], "ssh")])
    same("… and applied to", [(item.type, item.server.id) for item in wall.applied_to], [("server", server.id)])
    server.reload()
    same("… which shows it", [(item.firewall.id, item.status) for item in server.public_net.firewalls],
         [(wall.id, "applied")])
    refused("resource_in_use", "it cannot be deleted", wall.delete, f"firewall with ID {wall.id} is still in use")
    refused("firewall_already_applied", "nor applied again",
            lambda: wall.apply_to_resources([FirewallResource("server", server=server)]))
    refused("private_net_only_server", "nor to a private server",
            lambda: wall.apply_to_resources([FirewallResource("server", server=inside)]))
    refused("firewall_resource_not_found", "nor to one that is not there",
            lambda: wall.apply_to_resources([FirewallResource("server", server=Server(id=1))]))
    refused("firewall_resource_not_found", "… as on creation", lambda: client.firewalls.create(
        "x", resources=[FirewallResource("server", server=Server(id=1))]))
    refused("server_already_added", "nor twice at once", lambda: client.firewalls.create(
        "x", resources=[FirewallResource("server", server=server)] * 2))
    judge_rules(wall)
    done(*wall.remove_from_resources([FirewallResource("server", server=server)]))
    same("removing what is not applied is no error",
         wall.remove_from_resources([FirewallResource("server", server=server)]), [])
    selector = FirewallResource("label_selector", label_selector=FirewallResourceLabelSelector(selector="role=edge"))
    done(*wall.apply_to_resources([selector]))
    server.reload()
    inside.reload()
    same("labels choose servers with a public address",
         ([item.status for item in server.public_net.firewalls], inside.public_net.firewalls), (["applied"], []))
    refused("firewall_managed_by_label_selector", "… which keep it",
            lambda: wall.remove_from_resources([FirewallResource("server", server=server)]))
    refused("firewall_already_applied", "a selector is applied once", lambda: wall.apply_to_resources([selector]))
    refused("invalid_input", "a selector that is none", lambda: wall.apply_to_resources([FirewallResource(
        "label_selector", label_selector=FirewallResourceLabelSelector(selector="role edge"))]))
    late = client.servers.create("late", TYPE, IMAGE, location=FSN, labels={"role": "edge"})
    same("a server is created, and no word of the firewall", [action.command for action in late.next_actions],
         ["start_server"])
    done(late.action, *late.next_actions)
    eventually("… yet it gets it, for its label", lambda: [
        item.status for item in client.servers.get_by_id(late.server.id).public_net.firewalls] == ["applied"])
    for name in ("walled", "inside", "late"):
        eventually_deleted(name)
    done(*wall.remove_from_resources([selector]))
    eventually("without servers and selectors it can go", lambda: not client.firewalls.get_by_id(wall.id).applied_to)
    same("… and goes", wall.delete(), True)
    private.delete()


def eventually_deleted(name):
    """A label selector may have locked the server."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            done(client.servers.get_by_name(name).delete())
            return
        except APIException as refusal:
            if refusal.code != "locked":
                raise
            time.sleep(POLL_S)
    result(False, f"{name} stays locked")


def judge_rules(wall):
    def rules(*items):
        return lambda: wall.set_rules(list(items))

    details = refused("invalid_input", "tcp without a port", rules(FirewallRule("in", "tcp", ["10.0.0.0/8"])))
    same("… the field is named", details["fields"][0]["name"], "rules.0.port")
    refused("invalid_input", "icmp with a port", rules(FirewallRule("in", "icmp", ["10.0.0.0/8"], port="1")))
    refused("invalid_input", "port 0", rules(FirewallRule("in", "tcp", ["10.0.0.0/8"], port="0")))
    refused("invalid_input", "an unknown protocol", rules(FirewallRule("in", "sctp", ["10.0.0.0/8"])))
    refused("invalid_input", "an unknown direction", rules(FirewallRule("up", "icmp", ["10.0.0.0/8"])))
    refused("invalid_input", "incoming, from nowhere", rules(FirewallRule("in", "icmp", [])))
    refused("invalid_input", "outgoing, to nowhere", rules(FirewallRule("out", "icmp", [])))
    for bad in ("10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "x/8", "::1/64"):
        refused("invalid_input", f"the network '{bad}'", rules(FirewallRule("in", "icmp", [bad])))
    rule = FirewallRule("in", "icmp", ["10.0.0.0/8"])
    refused("invalid_input", "51 rules", rules(*[rule] * 51))
    refused("invalid_input", "101 networks", rules(FirewallRule("in", "icmp", [f"10.{i}.0.0/16" for i in range(101)])))
    refused("invalid_input", "more than 500 rules in effect",
            rules(*[FirewallRule("in", "icmp", [f"10.{i}.0.0/16" for i in range(100)])] * 6))
    actions = wall.set_rules([rule] * 50)
    same("new rules go to the servers", [action.command for action in actions], ["set_firewall_rules", "apply_firewall"])
    done(*actions)
    wall.reload()
    same("… all of them", len(wall.rules), 50)
    done(*wall.set_rules([]))
    wall.reload()
    same("… or none", wall.rules, [])


def judge_placement_groups():
    group = client.placement_groups.create("group", "spread", labels={"a": "b"}).placement_group
    same("a group", (group.name, group.type, group.servers, group.labels), ("group", "spread", [], {"a": "b"}))
    refused("uniqueness_error", "its name is taken", lambda: client.placement_groups.create("group", "spread"))
    refused("invalid_input", "an unknown type", lambda: client.placement_groups.create("other", "pack"))
    server = create("spread", placement_group=group)
    same("a server in it", (server.placement_group.id, client.placement_groups.get_by_id(group.id).servers),
         (group.id, [server.id]))
    other = create("other", start_after_create=False)
    done(other.add_to_placement_group(group))
    refused("already_in_placement_group", "… is in one", lambda: other.add_to_placement_group(group))
    refused("server_not_stopped", "a running server stays where it is", lambda: create("runs").add_to_placement_group(group))
    done(other.remove_from_placement_group())
    for index in range(9):
        create(f"fill{index}", placement_group=group, start_after_create=False)
    refused("placement_group_member_limit_reached", "an eleventh server", lambda: create("eleventh", placement_group=group),
            f"placement group with ID {group.id} contains already 10 servers")
    same("renamed", group.update(name="renamed").name, "renamed")
    same("found by its name", client.placement_groups.get_by_name("renamed").id, group.id)
    same("deleted", group.delete(), True)
    server.reload()
    same("… servers stay", (server.status, server.placement_group), ("running", None))
    for server in client.servers.get_all():
        done(server.delete())


def create_address(name, kind, **options):
    """The library cannot name a location yet, and insists on a datacenter, which the API has no more."""
    body = {"name": name, "type": kind, "assignee_type": "server", **options}
    answer = client.request(url="/primary_ips", method="POST", json=body)
    address = BoundPrimaryIP(client.primary_ips, answer["primary_ip"])
    if answer["action"]:
        done(BoundAction(client.actions, answer["action"]))
    return client.primary_ips.get_by_id(address.id)


def judge_primary_ips():
    server = create("addressed", start_after_create=False, public_net=PRIVATE)
    refused("invalid_input", "datacenters are no place", lambda: client.primary_ips.create(
        "ipv4", Datacenter(name="fsn1-dc14"), "lost"))
    loose = create_address("loose", "ipv4", location="nbg1")
    same("an address for nobody", (loose.assignee_id, loose.assignee_type), (None, "unassigned"))
    refused("uniqueness_error", "… its name is taken", lambda: create_address("loose", "ipv4", location="nbg1"))
    same("… found by address", [item.id for item in client.primary_ips.get_list(ip=loose.ip).primary_ips], [loose.id])
    same("… deleted", loose.delete(), True)
    fixed = create_address("fixed", "ipv4", assignee_id=server.id, labels={"a": "b"})
    server.reload()
    same("an address for a server", (server.public_net.ipv4.ip, server.public_net.primary_ipv4.id, server.public_net.ipv6),
         (fixed.ip, fixed.id, None))
    ip = client.primary_ips.get_by_name("fixed")
    same("… is told", (ip.type, ip.assignee_id, ip.assignee_type, ip.auto_delete, ip.blocked, ip.labels),
         ("ipv4", server.id, "server", False, False, {"a": "b"}))
    refused("must_be_unassigned", "… and not deleted", ip.delete)
    wide = create_address("wide", "ipv6", assignee_id=server.id)
    inside = wide.ip.replace("/64", "5")
    done(wide.change_dns_ptr(inside, "five.example.org"))
    wide.reload()
    same("reverse DNS for IPv6", wide.dns_ptr, [{"ip": inside, "dns_ptr": "five.example.org"}])
    refused("invalid_input", "… of its own network", lambda: wide.change_dns_ptr("2001:db8:ffff::1", "x.example.org"))
    done(wide.change_dns_ptr(inside, None))
    wide.reload()
    same("… and no more", wide.dns_ptr, [])
    done(server.power_on())
    refused("server_not_stopped", "a running server keeps its addresses", ip.unassign)
    done(server.power_off())
    done(ip.unassign())
    other = create("elsewhere", start_after_create=False, public_net=PRIVATE, location=Location(name="hel1"))
    refused("primary_ip_datacenter_mismatch", "… only at its location", lambda: ip.assign(other.id, "server"))
    done(ip.assign(server.id, "server"))
    refused("primary_ip_already_assigned", "… to one server", lambda: ip.assign(other.id, "server"))
    refused("server_has_ipv4", "… and one for each", lambda: create_address("third", "ipv4", assignee_id=server.id))
    same("auto_delete", ip.update(auto_delete=True).auto_delete, True)
    refused("invalid_input", "… cannot be protected", lambda: ip.change_protection(delete=True))
    done(server.delete())
    refused("not_found", "… it went with its server", ip.reload)
    wide.reload()
    same("… the other stayed", wide.assignee_id, None)
    done(other.delete())
    wide.delete()


def main():
    for judge in (judge_ssh_keys, judge_catalog, judge_networks, judge_servers, judge_failed_start, judge_firewalls,
                  judge_placement_groups, judge_primary_ips, *LISTING_JUDGES, *ERROR_JUDGES):
        try:
            judge()
        except Exception:  # pylint: disable=broad-except
            result(False, f"{judge.__name__} ran to its end", traceback.format_exc())
    print(f"1..{results['count']}")
    sys.exit(results["failed"] > 0)


main()
