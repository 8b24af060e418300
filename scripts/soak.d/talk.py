"""What is said meanwhile, and what is said of the machine."""

import os
import platform
import subprocess
import sys


def say(text):
    print(f"soak: {text}", file=sys.stderr, flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cores = sum(line.startswith("processor") for line in file)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], check=False, capture_output=True, text=True
    )
    return {
        "cores": cores,
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "engine": engine.stdout.strip() or None,
        "load_at_the_beginning": round(os.getloadavg()[0], 1),
    }
