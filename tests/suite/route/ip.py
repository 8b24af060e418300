#!/usr/bin/python3 -IS
"""Stands for `ip` (iproute2) on a machine whose routes are lines of the file `routes`, as `ip -o -4 route show default` writes
them, and whose interfaces are lines of the file `links`: `NAME up|down|tunnel [ADDRESS/LENGTH…]`. Both lie in the directory that
STAND_IN_IP names. Changes are made there, and written down in `log`. What it writes is held against the real one in network.rs.
"""

import json
import os
import sys

PLACE = os.environ["STAND_IN_IP"]
TUNING = ["mtu", "advmss", "initcwnd", "initrwnd"]
STANDING = ["linkdown", "dead"]


def lines(name):
    with open(f"{PLACE}/{name}") as file:
        return file.read().splitlines()


def parse(words):
    """What follows the word `default`: values by their names, and flags."""
    values, flags, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if word in ["onlink", *STANDING]:
            flags.append(word)
        else:
            values[word] = words.pop(0)
    return values, flags


def route_json(line):
    words = line.split()
    if words[0] != "default":
        return {"type": words[0], "dst": words[1], "metric": int(words[3]), "flags": []}
    if "nexthop" in words:
        return {"dst": "default", "flags": [], "nexthops": [{"gateway": "192.0.2.1", "dev": "eth0", "weight": 1, "flags": []}] * 2}
    values, flags = parse(words[1:])
    route = {"dst": "default"}
    for name, key in [("via", "gateway"), ("dev", "dev"), ("proto", "protocol"), ("scope", "scope"), ("src", "prefsrc")]:
        if name in values:
            route[key] = values[name]
    if "metric" in values:
        route["metric"] = int(values["metric"])
    route["flags"] = flags
    tuning = {name: int(values[name]) for name in TUNING if name in values}
    if tuning:
        route["metrics"] = [tuning]
    if "realm" in values:
        route["flow"] = {"to": values["realm"]}
    return route


def link_json(index, line):
    name, kind, *addresses = line.split()
    flags = ["POINTOPOINT", "NOARP"] if kind == "tunnel" else ["BROADCAST", "MULTICAST"]
    flags += ["NO-CARRIER", "UP"] if kind == "down" else ["UP", "LOWER_UP"]
    info = [
        {"family": "inet", "local": address.split("/")[0], "prefixlen": int(address.split("/")[1]), "scope": "global"}
        for address in addresses
    ]
    info.append({"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"})
    return {"ifindex": index, "ifname": name, "flags": flags, "link_type": "none" if kind == "tunnel" else "ether", "addr_info": info}


def written(words):
    """A route in the words and the order in which it is shown."""
    values, flags = parse(words[1:])
    text = "default"
    for name in ["via", "dev", "proto", "scope", "src", "metric", *TUNING]:
        value = values.get(name)
        if name == TUNING[0] and "onlink" in flags:
            text += " onlink"
        if value and (name, value) not in [("proto", "boot"), ("metric", "0")]:
            text += f" {name} {value}"
    return text


def metric(line):
    words = line.split()
    return int(words[words.index("metric") + 1]) if "metric" in words else 0


def change(verb, words):
    with open(f"{PLACE}/log", "a") as log:
        print(verb, *words, file=log)
    routes = lines("routes")
    wanted = written(words)
    bare = [" ".join(word for word in line.split() if word not in STANDING) for line in routes]
    if verb == "append":
        if wanted in bare:
            sys.exit("RTNETLINK answers: File exists")
        routes.append(wanted)
        routes.sort(key=metric)
    else:
        if wanted not in bare:
            sys.exit("RTNETLINK answers: No such process")
        del routes[bare.index(wanted)]
    with open(f"{PLACE}/routes", "w") as file:
        file.writelines(f"{line}\n" for line in routes)


links = ["lo up", *lines("links")]
told = sys.argv[1:]
if told == ["-json", "-4", "route", "show", "default"]:
    print(json.dumps([route_json(line) for line in lines("routes")]))
elif told == ["-json", "address", "show"]:
    print(json.dumps([link_json(index, line) for index, line in enumerate(links)]))
elif told in (["-o", "-4", "route", "show", "default"], ["-4", "route", "show", "default"]):
    print(*[f"{line} " for line in lines("routes")], sep="\n")
elif told == ["-o", "link", "show"]:
    for index, line in enumerate(links):
        link = link_json(index, line)
        print(f"{index}: {link['ifname']}: <{','.join(link['flags'])}> mtu 1500 qlen 1000\\    link/{link['link_type']} brd")
elif told == ["-o", "-4", "address", "show"]:
    for index, line in enumerate(links):
        for address in line.split()[2:]:
            print(f"{index}: {line.split()[0]}    inet {address} brd + scope global dynamic x\\       valid_lft 86389sec")
elif told[:2] == ["-4", "route"] and told[2] in ("append", "del"):
    change(told[2], told[3:])
else:
    sys.exit(f"the stand-in for ip does not know {told}")
