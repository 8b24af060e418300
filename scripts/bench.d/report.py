"""The tables, on the terminal and in `benches/results/`."""

import json
import os
import platform
import subprocess
import time

HEADS = ["what", "ours", "peer", "ours/peer", "budget", ""]


class Report:
    """What was measured, part by part."""

    def __init__(self, facts):
        self.facts = facts
        self.parts = []

    def add(self, name, title, rows, notes):
        """Takes a part's figures in, and prints them."""
        self.parts.append({"part": name, "title": title, "rows": rows, "notes": notes})
        print(f"\n{name}: {title}\n", flush=True)
        lines = [HEADS] + [row.cells() for row in rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
        for line in lines:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        for note in notes:
            print(f"  - {note}")
        print(flush=True)

    def markdown(self):
        text = ["# Benchmarks", ""]
        text += [f"- {name}: {value}" for name, value in self.facts.items()]
        text += ["", "Medians of one run; in brackets the smallest and the largest."]
        for part in self.parts:
            text += ["", f"## {part['part']}: {part['title']}", ""]
            text.append("| " + " | ".join(HEADS) + " |")
            text.append("|" + "---|" * len(HEADS))
            text += ["| " + " | ".join(row.cells()) + " |" for row in part["rows"]]
            text += [""] * bool(part["notes"])
            text += [f"- {note}" for note in part["notes"]]
        return "\n".join(text) + "\n"

    def data(self):
        parts = [dict(part, rows=[row.data() for row in part["rows"]]) for part in self.parts]
        return {"facts": self.facts, "parts": parts}

    def write(self, directory, all_parts):
        """Writes both files; a run of some parts does not take the place of a whole one."""
        name = f"{self.facts['date'][:10]}-{self.facts['cores']}c-{self.facts['memory'].replace(' ', '')}"
        if not all_parts:
            name += "-" + "+".join(part["part"] for part in self.parts)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, name)
        with open(path + ".md", "w") as file:
            file.write(self.markdown())
        with open(path + ".json", "w") as file:
            json.dump(self.data(), file, indent=1, ensure_ascii=False)
            file.write("\n")
        return path + ".md"


def facts(repository, note):
    """What the figures depend on."""
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    told = {
        "date": time.strftime("%Y-%m-%d %H:%M %z"),
        "commit": said(["git", "-C", repository, "describe", "--always", "--dirty", "--abbrev=12"]),
        "cores": cores,
        "processor": processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "kernel": platform.release(),
        "system": system(),
        "engine": said(["docker", "version", "--format", "{{.Server.Version}}"]),
        "rustc": said(["rustc", "--version"]),
        "load before": f"{load:.2f}" + (" (BUSY: other work ran beside, take the ratios, not the times)" if load > cores / 4 else ""),
    }
    if note:
        told["note"] = note
    return told


def said(argv):
    """What a program prints; `unknown` where there is none."""
    try:
        found = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True)
        return found.stdout.decode().strip() or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown"


def system():
    with open("/etc/os-release") as file:
        names = [line.split("=", 1)[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME=")]
    return names[0] if names else "unknown"
