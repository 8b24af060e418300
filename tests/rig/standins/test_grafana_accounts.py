"""The stand-in for Grafana: accounts, organisations, signing in by password."""

import os
import shutil
import sqlite3
import subprocess

from servers import IMAGES, Grafana, ask, certificate, python


class Requests(Grafana):
    def test_says_that_it_is_alive(self):
        self.start()
        answer = ask("GET", f"{self.url}/api/health")
        self.assertEqual((answer.status, answer.json["database"], answer.json["version"]), (200, "ok", "11.6.0"))

    def test_refuses_unknown_paths_methods_fields_and_callers(self):
        self.start()
        self.refused(self.api("GET", "/organisations"), 404, "Not found")
        self.assertEqual(self.api("PATCH", "/orgs", {"name": "a"}).status, 405)
        self.refused(self.api("GET", "/orgs", basic=None), 401, "Unauthorized")
        self.refused(self.api("GET", "/orgs", basic=("admin", "wrong")), 401, "Invalid username or password")
        unknown = self.api("POST", "/admin/users", {"login": "a", "password": "secret", "orgId": 1})
        self.assertEqual(unknown.status, 400)
        self.assertIn("the body has a field 'orgId' that the API does not know", unknown.json["message"])
        self.refused(self.api("POST", "/orgs", {}), 400, "bad request data: the body lacks the field 'name'")
        self.refused(self.api("POST", "/orgs", {"name": 1}), 400, "bad request data: the body.name must be a string, not 1")
        self.assertEqual(self.api("GET", "/users?perPage=1").status, 400)
        self.assertEqual(self.api("POST", "/orgs", '{"name":"a"}', headers={"Content-Type": "text/plain"}).status, 400)

    def test_does_not_start_with_a_setting_that_is_none(self):
        for name, value in (("GF_SECURITY_ADMIN_PASWORD", "x"), ("GF_AUTH_JWT_ENABLED", "true"), ("GF_SERVER_PROTOCOL", "https")):
            started = python("grafana.server", "server", env={"GF_PATHS_DATA": self.directory, name: value})
            self.assertEqual(started.returncode, 1, name)
            self.assertIn("grafana: ", started.stderr)


class Accounts(Grafana):
    def setUp(self):
        super().setUp()
        self.start()

    def test_are_made_found_changed_and_dropped(self):
        id = self.user("alice")
        found = self.api("GET", "/users/lookup?loginOrEmail=alice").json
        self.assertEqual((found["id"], found["orgId"], found["isGrafanaAdmin"]), (id, 1, False))
        self.refused(self.api("GET", "/users/lookup?loginOrEmail=bob"), 404, "user not found")
        again = {"login": "alice", "password": "secret"}
        self.refused(self.api("POST", "/admin/users", again), 412, "User with email '' or username 'alice' already exists")
        self.assertEqual(self.api("POST", "/admin/users", {"password": "secret"}).status, 400)
        self.refused(self.api("POST", "/admin/users", {"login": "b", "password": "abc"}), 400, "Password is missing or too short")
        self.refused(self.api("POST", "/admin/users", {**again, "login": "b", "OrgId": 7}), 400, "organization not found")
        self.assertEqual(self.api("PUT", f"/admin/users/{id}/password", {"password": "another"}).status, 200)
        self.assertEqual(self.api("GET", "/user", basic=("alice", "alice's secret")).status, 401)
        self.assertEqual(self.api("GET", "/user", basic=("alice", "another")).json["login"], "alice")
        self.assertEqual(self.api("DELETE", f"/admin/users/{id}").json, {"message": "User deleted"})
        self.refused(self.api("DELETE", f"/admin/users/{id}"), 404, "user not found")

    def test_come_page_by_page(self):
        for number in range(4):
            self.user(f"u{number}")
        page = self.api("GET", "/users?perpage=2&page=2").json
        self.assertEqual([one["login"] for one in page], ["u1", "u2"])
        search = self.api("GET", "/users/search?perpage=3").json
        self.assertEqual((search["totalCount"], len(search["users"]), search["page"], search["perPage"]), (5, 3, 1, 3))

    def test_may_be_stopped(self):
        id, alice = self.user("alice"), ("alice", "alice's secret")
        signed_in = ask("POST", f"{self.url}/login", {"user": "alice", "password": alice[1]})
        cookie = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
        self.assertEqual(self.api("GET", "/user", basic=None, headers=cookie).json["login"], "alice")
        self.assertEqual(self.api("POST", f"/admin/users/{id}/disable").json, {"message": "User disabled"})
        self.assertEqual(self.api("GET", "/user", basic=alice).status, 401)
        self.assertEqual(self.api("GET", "/user", basic=None, headers=cookie).status, 401)
        self.assertEqual(self.api("POST", f"/admin/users/{id}/enable").json, {"message": "User enabled"})
        self.assertEqual(self.api("GET", "/user", basic=alice).status, 200)
        self.refused(self.api("POST", "/admin/users/1/logout"), 400, "You cannot logout yourself")

    def test_may_not_do_what_the_administrator_does(self):
        self.user("alice")
        alice = ("alice", "alice's secret")
        for method, path, body in (("GET", "/users", None), ("GET", "/orgs", None), ("POST", "/orgs", {"name": "a"}),
                                   ("POST", "/admin/users", {"login": "b", "password": "secret"}), ("GET", "/org/users", None),
                                   ("DELETE", "/admin/users/1", None), ("GET", "/orgs/1/users", None)):
            answer = self.api(method, path, body, alice)
            self.assertEqual((answer.status, answer.json.get("title")), (403, "Access denied"), path)


class Orgs(Grafana):
    def setUp(self):
        super().setUp()
        self.start({"GF_USERS_AUTO_ASSIGN_ORG_ROLE": "Editor"})

    def test_are_made_found_and_dropped(self):
        id = self.org("alice")
        self.refused(self.api("POST", "/orgs", {"name": "alice"}), 409, "Organization name taken")
        self.assertEqual(self.api("GET", "/orgs/name/alice").json["id"], id)
        self.refused(self.api("GET", "/orgs/name/bob"), 404, "Organization not found")
        self.assertEqual(self.api("GET", "/orgs").json, [{"id": 1, "name": "Main Org."}, {"id": id, "name": "alice"}])
        # Their pages count from 0, other than those of accounts.
        self.assertEqual(self.api("GET", "/orgs?page=1").json, [])
        self.refused(self.api("DELETE", "/orgs/1"), 400, "Can not delete org for current user")
        self.assertEqual(self.api("DELETE", f"/orgs/{id}").json, {"message": "Organization deleted"})
        self.assertEqual(self.api("DELETE", f"/orgs/{id}").status, 404)

    def test_have_members_with_roles(self):
        id, alice = self.org("plant"), self.user("alice")
        member = {"loginOrEmail": "alice", "role": "Viewer"}
        self.assertEqual(self.api("POST", f"/orgs/{id}/users", member).json, {"message": "User added to organization", "userId": alice})
        self.refused(self.api("POST", f"/orgs/{id}/users", member), 409, "User is already member of this organization")
        self.refused(self.api("POST", f"/orgs/{id}/users", {**member, "loginOrEmail": "bob"}), 404, "User not found")
        self.refused(self.api("PATCH", f"/orgs/{id}/users/{alice}", {"role": "Owner"}), 400, "Invalid role specified")
        self.assertEqual(self.api("PATCH", f"/orgs/{id}/users/{alice}", {"role": "Editor"}).status, 200)
        self.assertEqual([(one["login"], one["role"]) for one in self.api("GET", f"/orgs/{id}/users").json],
                         [("admin", "Admin"), ("alice", "Editor")])
        self.refused(self.api("DELETE", f"/orgs/{id}/users/1"), 400, "Cannot remove last organization admin")
        mine = ("alice", "alice's secret")
        self.assertEqual(self.api("GET", "/user/orgs", basic=mine).json,
                         [{"orgId": 1, "name": "Main Org.", "role": "Editor"}, {"orgId": id, "name": "plant", "role": "Editor"}])
        self.assertEqual(self.api("POST", f"/user/using/{id}", {}, mine).json, {"message": "Active organization changed"})
        self.assertEqual(self.api("DELETE", f"/orgs/{id}/users/{alice}").status, 200)
        self.refused(self.api("POST", f"/user/using/{id}", {}, mine), 401, "Not a valid organization")
        self.assertEqual(self.api("GET", "/user", basic=mine).json["orgId"], 1)

    def test_take_a_new_account(self):
        id = self.org("plant")
        self.user("alice", id)
        self.assertEqual(self.api("GET", "/user/orgs", basic=("alice", "alice's secret")).json,
                         [{"orgId": id, "name": "plant", "role": "Editor"}])


class OwnOrgs(Grafana):
    def test_come_with_accounts_that_are_assigned_none(self):
        self.start({"GF_USERS_AUTO_ASSIGN_ORG": "false"})
        # The organisation that is asked for does not count then.
        self.user("alice", 1)
        own = self.api("GET", "/orgs/name/alice").json["id"]
        self.assertEqual(self.api("GET", "/user/orgs", basic=("alice", "alice's secret")).json,
                         [{"orgId": own, "name": "alice", "role": "Admin"}])


class Pages(Grafana):
    def test_lead_to_the_login_and_back(self):
        self.start({"GF_SERVER_ROOT_URL": "https://example.org/grafana/", "GF_SERVER_SERVE_FROM_SUB_PATH": "true"}, path="/grafana")
        away = ask("GET", f"{self.url}/")
        self.assertEqual((away.status, away.headers["Location"]), (302, "/grafana/login"))
        self.assertEqual(ask("GET", f"{self.url}/login").status, 200)
        wrong = ask("POST", f"{self.url}/login", {"user": "admin", "password": "wrong"})
        self.refused(wrong, 401, "Invalid username or password")
        signed_in = ask("POST", f"{self.url}/login", {"user": "admin", "password": self.ADMIN[1]})
        self.assertEqual(signed_in.json, {"message": "Logged in", "redirectUrl": "/grafana/"})
        self.assertIn("; Path=/grafana; HttpOnly; SameSite=Lax", signed_in.headers["Set-Cookie"])
        cookie = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
        home = ask("GET", f"{self.url}/", headers=cookie)
        self.assertIn("Stand-in for Grafana: admin is Admin of Main Org.", home.text)
        outside = ask("GET", f"http://localhost:{self.port}/dashboards")
        self.assertEqual((outside.status, outside.headers["Location"]), (301, "https://example.org/grafana/dashboards"))
        self.assertEqual(ask("GET", f"http://localhost:{self.port}/api/health").status, 200)

    def test_show_who_is_anonymous_only_if_that_is_on(self):
        self.start({"GF_AUTH_ANONYMOUS_ENABLED": "true"})
        self.assertIn("nobody is Viewer of Main Org.", ask("GET", f"{self.url}/").text)


class Files(Grafana):
    def test_outlive_the_process_and_keep_the_first_password(self):
        self.start()
        id = self.org("plant")
        self.process.end()
        self.start({"GF_SECURITY_ADMIN_PASSWORD": "second secret"})
        self.assertEqual(self.api("GET", "/orgs/name/plant").json["id"], id)
        self.assertEqual(self.api("GET", "/orgs", basic=("admin", "second secret")).status, 401)

    def test_hold_a_password_that_the_command_line_resets_under_a_running_server(self):
        self.start()
        environment = {"GF_PATHS_DATA": self.directory, "GF_SECURITY_ADMIN_PASSWORD__FILE": "/read/before"}
        reset = ("cli", "--homepath", "/usr/share/grafana", "admin", "reset-admin-password", "--password-from-stdin")
        self.assertIn("too short", python("grafana.server", *reset, env=environment, stdin="abc\n").stderr)
        done = python("grafana.server", *reset, env=environment, stdin="new secret\n")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "Admin password changed successfully ✔"))
        self.assertEqual(self.api("GET", "/orgs").status, 401)
        self.assertEqual(self.api("GET", "/orgs", basic=("admin", "new secret")).status, 200)

    def test_hold_no_password(self):
        self.start()
        rows = sqlite3.connect(f"{self.directory}/grafana.db").execute("SELECT body FROM document").fetchall()
        self.assertNotIn(self.ADMIN[1], str(rows))


class Tls(Grafana):
    def start_with(self, more):
        paths = certificate(self.directory)
        self.before = shutil.copy(paths[0], f"{self.directory}/before.pem")
        files = {"GF_SERVER_CERT_FILE": paths[0], "GF_SERVER_CERT_KEY": paths[1]}
        self.start({"GF_SERVER_PROTOCOL": "https", **files, **more}, "https", paths[0])
        self.now = certificate(self.directory)[0]

    def test_shows_the_certificate_that_was_there_at_the_start(self):
        self.start_with({})
        self.assertEqual(ask("GET", f"{self.url}/api/health", authority=self.before).status, 200)

    def test_shows_a_new_certificate_if_it_watches(self):
        self.start_with({"GF_SERVER_CERTS_WATCH_INTERVAL": "1s"})
        self.assertEqual(ask("GET", f"{self.url}/api/health", authority=self.now).status, 200)


class Variables(Grafana):
    """What run.sh makes of variables that name files."""

    def run_sh(self, environment):
        os.makedirs(f"{self.directory}/bin")
        with open(f"{self.directory}/bin/grafana", "w", encoding="utf-8") as command:
            command.write('#!/bin/sh\necho "$1 $GF_SECURITY_ADMIN_PASSWORD ${GF_SECURITY_ADMIN_PASSWORD__FILE-gone}"\n')
        os.chmod(f"{self.directory}/bin/grafana", 0o755)
        with open(f"{self.directory}/secret", "w", encoding="utf-8") as secret:
            secret.write("of the file\n")
        env = {"PATH": f"{self.directory}/bin:{os.environ['PATH']}", "GF_PATHS_DATA": self.directory, "GF_PATHS_HOME": self.directory,
               "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{self.directory}/secret", **environment}
        return subprocess.run([os.path.join(IMAGES, "grafana", "run.sh")], env=env, text=True, capture_output=True, check=False)

    def test_are_read_from_them(self):
        self.assertEqual(self.run_sh({}).stdout.splitlines()[-1], "server of the file gone")

    def test_are_not_given_both_ways(self):
        both = self.run_sh({"GF_SECURITY_ADMIN_PASSWORD": "plain"})
        self.assertEqual((both.returncode, both.stderr), (
            1, "ERROR: Both GF_SECURITY_ADMIN_PASSWORD and GF_SECURITY_ADMIN_PASSWORD__FILE are set (but are exclusive)\n"))
