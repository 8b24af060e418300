"""The stand-in for InfluxDB: set-up, buckets, tokens and users."""

import os
import sqlite3

from servers import InfluxDB, ask, python

OPERATOR = "operator"


class SetUp(InfluxDB):
    def test_once_and_no_more(self):
        self.start()
        self.assertEqual(self.api("GET", "/setup", token=None).json, {"allowed": True})
        made = self.set_up()
        self.assertEqual((made["user"]["name"], made["org"]["name"], made["bucket"]["name"]), ("admin", "plant", "first"))
        self.assertEqual((made["auth"]["token"], made["auth"]["description"]), (OPERATOR, "admin's Token"))
        self.assertEqual(self.api("GET", "/setup", token=None).json, {"allowed": False})
        again = self.api("POST", "/setup", {"username": "b", "password": "long enough", "org": "b", "bucket": "b"}, token=None)
        self.assertEqual((again.status, again.json), (422, {"code": "conflict", "message": "onboarding has already been completed"}))

    def test_refuses_what_it_cannot_take(self):
        self.start()
        short = {"username": "admin", "password": "short", "org": "plant", "bucket": "first"}
        self.refused(self.api("POST", "/setup", short, token=None), 400, "passwords must be at least 8 characters long")
        self.refused(self.api("POST", "/setup", {**short, "org": ""}, token=None), 400, "onboard failed, missing value")
        missing = {"username": "admin", "org": "plant"}
        self.refused(self.api("POST", "/setup", missing, token=None), 400, "the body lacks the field 'bucket'")
        # What is refused leaves nothing behind.
        self.assertEqual(self.api("GET", "/setup", token=None).json, {"allowed": True})


class Requests(InfluxDB):
    def setUp(self):
        super().setUp()
        self.start()
        self.set_up()

    def test_says_that_it_is_alive(self):
        self.assertEqual(ask("GET", f"{self.url}/health").json["status"], "pass")
        self.assertEqual(ask("GET", f"{self.url}/ready").json["status"], "ready")
        ping = ask("GET", f"{self.url}/ping")
        self.assertEqual((ping.status, ping.headers["X-Influxdb-Version"]), (204, "v2.7.12"))

    def test_refuses_unknown_paths_methods_fields_and_parameters(self):
        self.assertEqual(self.api("GET", "/bucket").json, {"code": "not found", "message": "path not found"})
        wrong = self.api("PUT", "/buckets", {})
        self.assertEqual((wrong.status, wrong.json["code"], wrong.headers["Allow"]), (405, "method not allowed", "GET, POST"))
        unknown = self.api("POST", "/buckets", {"orgID": self.org, "name": "b", "retention": 1})
        self.assertEqual(unknown.status, 400)
        self.assertIn("the body has a field 'retention' that the API does not know", unknown.json["message"])
        self.refused(self.api("POST", "/buckets", {"orgID": self.org, "name": 7}), 400, "the body.name must be a string, not 7")
        self.assertEqual(self.api("GET", "/buckets?bucket=b").status, 400)
        self.refused(self.api("GET", "/buckets/7"), 400, "id must have a length of 16 bytes")

    def test_refuses_who_has_no_token(self):
        refused = {"code": "unauthorized", "message": "unauthorized access"}
        for token in (None, "", "no such token"):
            answer = self.api("GET", "/buckets", token=token)
            self.assertEqual((answer.status, answer.json), (401, refused))
        self.assertEqual(self.api("GET", "/no/such/path", token=None).status, 401)
        bearer = ask("GET", f"{self.url}/api/v2/me", headers={"Authorization": f"Bearer {OPERATOR}"})
        self.assertEqual(bearer.json["name"], "admin")


class Buckets(InfluxDB):
    def setUp(self):
        super().setUp()
        self.start()
        self.set_up()

    def test_are_made_changed_and_dropped(self):
        rules = [{"type": "expire", "everySeconds": 3600}]
        made = self.api("POST", "/buckets", {"orgID": self.org, "name": "alice", "description": "hers", "retentionRules": rules})
        self.assertEqual(made.status, 201)
        id = made.json["id"]
        self.assertEqual(made.json["retentionRules"], [{"type": "expire", "everySeconds": 3600, "shardGroupDurationSeconds": 3600}])
        changed = self.api("PATCH", f"/buckets/{id}", {"name": "bob", "retentionRules": [{"type": "expire", "everySeconds": 0}]})
        self.assertEqual((changed.json["name"], changed.json["description"]), ("bob", "hers"))
        self.assertEqual(self.api("DELETE", f"/buckets/{id}").status, 204)
        self.refused(self.api("GET", f"/buckets/{id}"), 404, "bucket not found")

    def test_are_found_by_name_and_page_by_page(self):
        ids = [self.bucket(f"b{number}") for number in range(30)]
        self.assertEqual(len(self.api("GET", "/buckets").json["buckets"]), 20)
        page = self.api("GET", "/buckets?limit=5&offset=3").json
        self.assertEqual([one["name"] for one in page["buckets"]], ["b0", "b1", "b2", "b3", "b4"])
        self.assertEqual(page["links"]["next"], "/api/v2/buckets?descending=false&limit=5&offset=8")
        after = self.api("GET", f"/buckets?limit=2&after={ids[27]}").json["buckets"]
        self.assertEqual([one["name"] for one in after], ["b28", "b29"])
        # Within an organisation they come by name.
        own = f"/buckets?orgID={self.org}&limit=4"
        first = self.api("GET", own).json["buckets"]
        self.assertEqual([one["name"] for one in first], ["_monitoring", "_tasks", "b0", "b1"])
        then = self.api("GET", f"{own}&after={first[-1]['id']}").json["buckets"]
        self.assertEqual([one["name"] for one in then], ["b10", "b11", "b12", "b13"])
        self.assertEqual([one["id"] for one in self.api("GET", "/buckets?name=b7").json["buckets"]], [ids[7]])
        self.refused(self.api("GET", "/buckets?name=none&org=plant"), 404, 'bucket "none" not found')
        self.refused(self.api("GET", "/buckets?org=none"), 404, 'organization name "none" not found')
        self.refused(self.api("GET", "/buckets?limit=101"), 400, "limit must be between 1 and 100")

    def test_refuse_what_the_real_ones_do(self):
        new = {"orgID": self.org, "name": "first"}
        self.refused(self.api("POST", "/buckets", new), 422, "bucket with name first already exists")
        self.refused(self.api("POST", "/buckets", {**new, "name": "_x"}), 400,
                     "bucket name _x is invalid. Buckets may not start with underscore")
        minute = [{"type": "expire", "everySeconds": 60}]
        self.refused(self.api("POST", "/buckets", {**new, "name": "b", "retentionRules": minute}), 500,
                     "retention policy duration must be at least 1h0m0s")
        self.refused(self.api("POST", "/buckets", {"orgID": "0" * 15 + "1", "name": "b"}), 404, "organization not found")
        tasks = self.api("GET", "/buckets?name=_tasks").json["buckets"][0]["id"]
        self.refused(self.api("DELETE", f"/buckets/{tasks}"), 400, "system buckets cannot be deleted")


class Authorizations(InfluxDB):
    def setUp(self):
        super().setUp()
        self.start()
        self.set_up()

    def test_are_made_shown_stopped_and_dropped(self):
        bucket = self.bucket("alice")
        token, id = self.token(("read", bucket))
        self.assertEqual(len(token), 88)
        listed = {one["id"]: one for one in self.api("GET", "/authorizations").json["authorizations"]}
        self.assertEqual(listed[id]["token"], token)
        resource = {"type": "buckets", "id": bucket, "orgID": self.org, "name": "alice", "org": "plant"}
        self.assertEqual(listed[id]["permissions"], [{"action": "read", "resource": resource}])
        self.assertEqual(self.api("PATCH", f"/authorizations/{id}", {"status": "inactive"}).json["status"], "inactive")
        self.refused(self.api("GET", f"/buckets/{bucket}", token=token), 401, "token is inactive")
        self.assertEqual(self.api("PATCH", f"/authorizations/{id}", {"status": "active"}).status, 200)
        self.assertEqual(self.api("GET", f"/buckets/{bucket}", token=token).status, 200)
        self.assertEqual(self.api("DELETE", f"/authorizations/{id}").status, 204)
        self.refused(self.api("GET", f"/buckets/{bucket}", token=token), 401, "unauthorized access")
        self.refused(self.api("DELETE", f"/authorizations/{id}"), 404, "authorization not found")

    def test_show_only_what_they_may_see(self):
        bucket = self.bucket("alice")
        other = self.bucket("bob")
        token, _ = self.token(("read", bucket))
        self.assertEqual([one["name"] for one in self.api("GET", "/buckets", token=token).json["buckets"]], ["alice"])
        self.refused(self.api("GET", f"/buckets/{other}", token=token), 401,
                     f"read:orgs/{self.org}/buckets/{other} is unauthorized")
        self.refused(self.api("POST", "/buckets", {"orgID": self.org, "name": "c"}, token), 401,
                     f"write:orgs/{self.org}/buckets is unauthorized")
        self.assertEqual(self.api("GET", "/authorizations", token=token).json["authorizations"], [])
        self.assertEqual(self.api("GET", "/orgs", token=token).json["orgs"], [])

    def test_refuse_what_the_real_ones_do(self):
        right = {"action": "read", "resource": {"type": "buckets", "orgID": self.org}}
        new = {"orgID": self.org, "permissions": [right]}
        self.refused(self.api("POST", "/authorizations", {**new, "permissions": []}), 400, "authorization must include permissions")
        self.assertEqual(self.api("POST", "/authorizations", {**new, "token": "mine"}).status, 400)
        strange = {"action": "read", "resource": {"type": "bucket"}}
        self.assertEqual(self.api("POST", "/authorizations", {**new, "permissions": [strange]}).status, 400)
        self.refused(self.api("POST", "/authorizations", {**new, "status": "off"}), 400, "unknown authorization status")
        # One may not give what one has not.
        maker = [{"action": "write", "resource": {"type": kind, "orgID": self.org}} for kind in ("authorizations",)]
        maker.append({"action": "write", "resource": {"type": "users", "id": self.admin}})
        token = self.api("POST", "/authorizations", {"orgID": self.org, "permissions": maker}).json["token"]
        answer = self.api("POST", "/authorizations", new, token)
        self.assertEqual((answer.status, answer.json["code"]), (403, "forbidden"))


class Users(InfluxDB):
    def setUp(self):
        super().setUp()
        self.start()
        self.set_up()

    def test_sign_in_by_password(self):
        id = self.api("POST", "/users", {"name": "alice"}).json["id"]
        self.refused(self.api("POST", "/users", {"name": "alice"}), 422, "user with name alice already exists")
        self.refused(self.api("POST", f"/users/{id}/password", {"password": "short"}), 400, "passwords must be at least 8 characters long")
        self.assertEqual(self.api("POST", f"/users/{id}/password", {"password": "long enough"}).status, 204)
        self.assertEqual(ask("POST", f"{self.url}/api/v2/signin", basic=("alice", "wrong one")).status, 401)
        signed_in = ask("POST", f"{self.url}/api/v2/signin", basic=("alice", "long enough"))
        cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
        self.assertEqual(ask("GET", f"{self.url}/api/v2/me", headers={"Cookie": cookie}).json["name"], "alice")
        self.assertEqual(self.api("DELETE", f"/users/{id}").status, 204)
        self.assertEqual(ask("GET", f"{self.url}/api/v2/me", headers={"Cookie": cookie}).status, 401)


class Files(InfluxDB):
    def recover(self):
        return python("influxdb.server", "recovery", "auth", "create-operator", "--bolt-path", f"{self.directory}/influxd.bolt",
                      "--username", "admin", "--org", "plant")

    def test_outlive_the_process(self):
        self.start()
        self.set_up()
        bucket = self.bucket("alice")
        self.write("alice", "m v=1 1", more="&precision=s")
        self.assertEqual(self.process.end(), 0)
        self.start()
        self.assertEqual(self.api("GET", f"/buckets/{bucket}").json["name"], "alice")
        answer = self.query('from(bucket: "alice") |> range(start: 0)')
        self.assertIn(",1970-01-01T00:00:01Z,1,v,m", answer.text)

    def test_give_a_new_operator_token_only_while_the_server_is_stopped(self):
        self.start()
        self.set_up()
        self.assertIn("database is locked", self.recover().stderr)
        self.process.end()
        table = [line.split("\t") for line in self.recover().stdout.splitlines()]
        self.assertEqual(table[0], ["ID", "User Name", "User ID", "Description", "Token", "Permissions"])
        token = next(row[4] for row in table if row[3] == "admin's Recovery Token")
        self.start()
        self.assertEqual(self.api("GET", "/me", token=token).json["name"], "admin")

    def test_hold_no_password(self):
        self.start()
        self.set_up()
        self.process.end()
        rows = sqlite3.connect(f"{self.directory}/influxd.bolt").execute("SELECT body FROM document").fetchall()
        self.assertNotIn("correct horse", str(rows))
        self.assertEqual(os.stat(f"{self.directory}/influxd.bolt").st_mode & 0o777, 0o600)
