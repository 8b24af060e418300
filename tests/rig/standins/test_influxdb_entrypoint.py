"""The entrypoint of the stand-in for InfluxDB: what it makes of its variables at the first start."""

import os
import subprocess
import time

from servers import IMAGES, InfluxDB, ask, certificate, environment, free_port

NOBODY = 65534


class Entrypoint(InfluxDB):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        for name, content in (("username", "admin\n"), ("password", "correct horse\n"), ("token", "operator\n")):
            with open(f"{self.directory}/{name}", "w", encoding="utf-8") as secret:
                secret.write(content)
        certificate(self.directory)
        os.makedirs(f"{self.directory}/settings")
        if os.getuid() == 0:
            for place, _, files in os.walk(self.directory):
                for path in [place, *(os.path.join(place, file) for file in files)]:
                    os.chown(path, NOBODY, NOBODY)
        directory = os.path.join(IMAGES, "influxdb")
        self.variables = environment({
            "PATH": f"{directory}:{os.environ['PATH']}", "INFLUX_CONFIGS_PATH": f"{self.directory}/settings/influx-configs",
            "INFLUXD_INIT_PORT": str(free_port()), "INFLUXD_HTTP_BIND_ADDRESS": f":{self.port}",
            "INFLUXD_BOLT_PATH": f"{self.directory}/data/influxd.bolt", "INFLUXD_ENGINE_PATH": f"{self.directory}/data/engine",
            "INFLUXD_TLS_CERT": f"{self.directory}/certificate.pem", "INFLUXD_TLS_KEY": f"{self.directory}/key.pem",
            "DOCKER_INFLUXDB_INIT_MODE": "setup", "DOCKER_INFLUXDB_INIT_CLI_CONFIG_NAME": "default",
            "DOCKER_INFLUXDB_INIT_USERNAME_FILE": f"{self.directory}/username",
            "DOCKER_INFLUXDB_INIT_PASSWORD_FILE": f"{self.directory}/password",
            "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE": f"{self.directory}/token",
            "DOCKER_INFLUXDB_INIT_ORG": "plant", "DOCKER_INFLUXDB_INIT_BUCKET": "first", "DOCKER_INFLUXDB_INIT_RETENTION": "30d",
        })

    def run_entrypoint(self, *arguments, **more):
        command = [os.path.join(IMAGES, "influxdb", "docker-entrypoint.sh"), *arguments]
        if os.getuid() == 0:
            # As with --user: root would give the data to an account that is only in the image.
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        process = subprocess.Popen(command, env={**self.variables, **more}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        return process

    def buckets(self, process):
        """What the server says about its buckets, once it listens."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return ask("GET", f"https://localhost:{self.port}/api/v2/buckets?name=first", headers={"Authorization": "Token operator"},
                           authority=f"{self.directory}/certificate.pem")
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    self.fail(process.communicate()[0])
                time.sleep(0.05)

    def test_sets_up_by_files_once(self):
        first = self.run_entrypoint("influxd")
        bucket = self.buckets(first).json["buckets"][0]
        self.assertEqual(bucket["retentionRules"][0]["everySeconds"], 30 * 24 * 3600)
        with open(f"{self.directory}/settings/influx-configs", encoding="utf-8") as configs:
            self.assertIn(f'url = "https://localhost:{self.port}"', configs.read())
        first.terminate()
        self.assertEqual(first.wait(timeout=20), 0)
        # What the variables say does not count any more.
        again = self.run_entrypoint(DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE=f"{self.directory}/username")
        self.assertEqual(self.buckets(again).status, 200)

    def test_leaves_nothing_behind_that_looks_set_up(self):
        short = self.run_entrypoint("influxd", DOCKER_INFLUXDB_INIT_PASSWORD_FILE="", DOCKER_INFLUXDB_INIT_PASSWORD="short")
        said = short.communicate(timeout=60)[0]
        self.assertEqual(short.returncode, 1)
        self.assertIn("Error: passwords must be at least 8 characters long", said)
        self.assertFalse(os.path.exists(f"{self.directory}/data/influxd.bolt"))

    def test_needs_what_it_needs(self):
        process = self.run_entrypoint("influxd", DOCKER_INFLUXDB_INIT_ORG="")
        self.assertIn("missing parameter, cannot init InfluxDB: DOCKER_INFLUXDB_INIT_ORG", process.communicate(timeout=60)[0])
        self.assertEqual(process.returncode, 1)

    def test_leaves_other_commands_alone(self):
        self.assertEqual(self.run_entrypoint("influxd", "version").communicate(timeout=60)[0], "InfluxDB v2.7.12 (a stand-in)\n")
