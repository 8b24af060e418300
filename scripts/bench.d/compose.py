"""What docker has of a platform of ours, as a file for docker compose: the same images, limits, mounts, networks and rights."""

import json

import engine


def write(bench, deployment, path):
    """Writes the file from what runs now. Its containers and networks bear a label by which they are found again."""
    ours = f"dtaas.instance={engine.instance(deployment.root)}"
    label, value = bench.label.split("=")
    labels = {label: value}
    services = {}
    for found in engine.inspect("container", ours):
        name = found["Name"].strip("/").replace(".", "-")
        services[name] = dict(service(found), labels=labels)
    networks = {found["Name"]: dict(network(found), labels=labels) for found in engine.inspect("network", ours)}
    path.write_text(json.dumps({"services": services, "networks": networks}, indent=1))
    return len(services), len(networks)


def service(found):
    config, host = found["Config"], found["HostConfig"]
    told = {
        "image": config["Image"],
        "environment": [escaped(pair) for pair in config["Env"] or []],
        "user": config["User"],
        "restart": host["RestartPolicy"]["Name"],
        "logging": {"driver": host["LogConfig"]["Type"], "options": host["LogConfig"]["Config"]},
        "read_only": host["ReadonlyRootfs"],
        "cap_add": host["CapAdd"] or [],
        "cap_drop": host["CapDrop"] or [],
        "security_opt": host["SecurityOpt"] or [],
        "shm_size": host["ShmSize"],
        "stop_grace_period": f"{config['StopTimeout']}s",
        "volumes": [
            {"type": "bind", "source": escaped(mount["Source"]), "target": escaped(mount["Target"]), "read_only": mount.get("ReadOnly", False)}
            for mount in host["Mounts"] or []
        ],
    }
    if config["Cmd"]:
        told["command"] = [escaped(word) for word in config["Cmd"]]
    if host["NanoCpus"]:
        told["cpus"] = host["NanoCpus"] / 1e9
    if host["Memory"]:
        told["mem_limit"] = host["Memory"]
        told["memswap_limit"] = host["MemorySwap"]
    if host["PidsLimit"]:
        told["pids_limit"] = host["PidsLimit"]
    if host["NetworkMode"] == "host":
        told["network_mode"] = "host"
    else:
        told["networks"] = {
            name: {"ipv4_address": network["IPAMConfig"]["IPv4Address"]} for name, network in found["NetworkSettings"]["Networks"].items()
        }
    return told


def network(found):
    addresses = found["IPAM"]["Config"][0]
    return {
        "driver": found["Driver"],
        "driver_opts": found["Options"],
        "enable_ipv6": found["EnableIPv6"],
        "ipam": {"config": [{"subnet": addresses["Subnet"], "gateway": addresses["Gateway"]}]},
    }


def escaped(text):
    """Compose puts variables' values where a `$` stands."""
    return text.replace("$", "$$")
