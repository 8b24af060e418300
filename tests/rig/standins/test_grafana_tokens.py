"""The stand-in for Grafana: signed tokens, and data sources."""

import json
import sqlite3
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from servers import Grafana, InfluxDB, ask, certificate, free_port, python

HEADER = "X-JWT-Assertion"


class Tokens(Grafana):
    def setUp(self):
        super().setUp()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = f"{self.directory}/public.pem"
        self.keep(self.key)
        self.jwt = {"GF_AUTH_JWT_ENABLED": "true", "GF_AUTH_JWT_HEADER_NAME": HEADER, "GF_AUTH_JWT_USERNAME_CLAIM": "sub",
                    "GF_AUTH_JWT_KEY_FILE": self.public, "GF_AUTH_JWT_SKIP_ORG_ROLE_SYNC": "true",
                    "GF_AUTH_JWT_EXPECT_CLAIMS": '{"iss": "dtaas", "aud": "grafana"}'}

    def keep(self, key):
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        with open(self.public, "wb") as opened:
            opened.write(pem)

    def signed(self, key=None, algorithm="ES256", headers=None, **claims):
        claims = {"sub": "alice", "iss": "dtaas", "aud": "grafana", "exp": int(time.time()) + 60, **claims}
        return jwt.encode({name: value for name, value in claims.items() if value is not None}, key or self.key, algorithm, headers)

    def me(self, token, path="/user", **more):
        return self.api("GET", path, basic=None, headers={HEADER: token, **more})

    def test_sign_in_an_account_that_is_there(self):
        self.start(self.jwt)
        id = self.user("alice")
        self.assertEqual(self.me(self.signed()).json["id"], id)
        self.assertEqual(self.me("Bearer " + self.signed()).json["id"], id)
        self.assertIn("alice is Viewer of Main Org.", ask("GET", f"{self.url}/", headers={HEADER: self.signed()}).text)
        self.refused(self.me(self.signed(sub="bob")), 401, "Sign up is disabled")

    def test_are_refused_unless_they_verify(self):
        self.start(self.jwt)
        self.user("alice")
        now = int(time.time())
        stranger = ec.generate_private_key(ec.SECP256R1())
        bad = [self.signed(stranger), self.signed(iss="other"), self.signed(aud="other"), self.signed(aud=None), self.signed(exp=now - 120),
               self.signed(nbf=now + 120), self.signed(headers={"kid": "k"}), self.signed("x" * 40, "HS256"), self.signed()[:-4] + "AAAA"]
        for token in bad:
            answer = self.me(token)
            self.assertEqual((answer.status, answer.json["messageId"]), (401, "jwt.invalid"))
        # The page leads to where one can sign in.
        self.assertEqual(ask("GET", f"{self.url}/", headers={HEADER: bad[0]}).status, 302)
        # Without a subject it is as if there were no token.
        self.refused(self.me(self.signed(sub=None)), 401, "Unauthorized")
        basic = ask("GET", f"{self.url}/api/user", headers={HEADER: self.signed(sub=None)}, basic=self.ADMIN)
        self.assertEqual(basic.json["login"], "admin")
        # With one it goes before every other way.
        self.assertEqual(ask("GET", f"{self.url}/api/user", headers={HEADER: self.signed()}, basic=self.ADMIN).json["login"], "alice")

    def test_make_an_account_if_the_settings_say_so(self):
        self.start({**self.jwt, "GF_AUTH_JWT_AUTO_SIGN_UP": "true"})
        made = self.me(self.signed(name="Alice A.")).json
        self.assertEqual((made["login"], made["name"], made["isExternal"], made["authLabels"]), ("alice", "Alice A.", True, ["JWT"]))
        # The account counts as an external one now.
        self.refused(self.api("POST", f"/admin/users/{made['id']}/disable"), 500, "Could not disable external user")
        self.refused(self.api("PUT", f"/admin/users/{made['id']}/password", {"password": "secret"}), 403, "Cannot update external User")
        self.assertEqual(self.api("PATCH", f"/orgs/1/users/{made['id']}", {"role": "Editor"}).status, 200)
        self.assertEqual(self.api("DELETE", f"/admin/users/{made['id']}").status, 200)

    def test_take_every_other_organisation_unless_the_settings_keep_them(self):
        self.start({**self.jwt, "GF_AUTH_JWT_SKIP_ORG_ROLE_SYNC": "false"})
        org = self.org("plant")
        id = self.user("alice", org)
        self.assertEqual(self.me(self.signed(), "/user/orgs").json, [{"orgId": 1, "name": "Main Org.", "role": "Viewer"}])
        self.refused(self.api("PATCH", f"/orgs/1/users/{id}", {"role": "Editor"}), 403, "Cannot change role for externally synced user")

    def test_may_be_of_a_key_set(self):
        key = ed25519.Ed25519PrivateKey.generate()
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        keys = {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": jwt.utils.base64url_encode(raw).decode()}]}
        with open(f"{self.directory}/keys.json", "w", encoding="utf-8") as opened:
            json.dump(keys, opened)
        self.start({**self.jwt, "GF_AUTH_JWT_KEY_FILE": "", "GF_AUTH_JWT_JWK_SET_FILE": f"{self.directory}/keys.json"})
        self.user("alice")
        self.assertEqual(self.me(self.signed(key, "EdDSA", {"kid": "one"})).status, 200)
        self.assertEqual(self.me(self.signed(key, "EdDSA", {"kid": "two"})).status, 401)
        self.assertEqual(self.me(self.signed(key, "EdDSA")).status, 401)

    def test_are_of_the_key_that_was_there_at_the_start(self):
        self.start(self.jwt)
        self.user("alice")
        new = ec.generate_private_key(ec.SECP256R1())
        self.keep(new)
        self.assertEqual(self.me(self.signed(new)).status, 401)
        self.process.end()
        self.start(self.jwt)
        self.assertEqual(self.me(self.signed(new)).status, 200)

    def test_need_a_key_that_is_one(self):
        for more in ({"GF_AUTH_JWT_KEY_FILE": "/none"}, {"GF_AUTH_JWT_JWK_SET_FILE": self.public}):
            started = python("grafana.server", "server", env={"GF_PATHS_DATA": self.directory, **self.jwt, **more})
            self.assertEqual(started.returncode, 1)


class DataSources(Grafana):
    def setUp(self):
        super().setUp()
        self.start()
        self.plant = self.org("plant")
        self.new = {"name": "influx", "type": "influxdb", "access": "proxy", "url": "http://influx:8086", "uid": "influx-alice",
                    "jsonData": {"version": "Flux", "organization": "plant", "defaultBucket": "alice", "dtaas": "mark"},
                    "secureJsonData": {"token": "kept back"}}

    def test_never_show_what_is_secret(self):
        made = self.api("POST", "/datasources", self.new, org=self.plant)
        self.assertEqual((made.status, made.json["message"], made.json["name"]), (200, "Datasource added", "influx"))
        shown = self.api("GET", "/datasources/uid/influx-alice", org=self.plant)
        self.assertEqual((shown.json["secureJsonFields"], shown.json["orgId"]), ({"token": True}, self.plant))
        listed = self.api("GET", "/datasources", org=self.plant)
        for answer in (made, shown, listed):
            self.assertNotIn("kept back", answer.text)
        # What is read and sent again keeps the secret.
        again = self.api("PUT", "/datasources/uid/influx-alice", {**shown.json, "url": "https://influx:8086"}, org=self.plant)
        self.assertEqual((again.status, again.json["datasource"]["version"]), (200, 2))
        rows = sqlite3.connect(f"{self.directory}/grafana.db").execute("SELECT body FROM document WHERE name = 'datasources'").fetchall()
        self.assertIn("kept back", str(rows))

    def test_are_of_one_organisation(self):
        self.api("POST", "/datasources", self.new, org=self.plant)
        self.refused(self.api("GET", "/datasources/uid/influx-alice"), 404, "Data source not found")
        self.assertEqual(self.api("POST", "/datasources", self.new).status, 200)
        self.refused(self.api("POST", "/datasources", self.new), 409, "data source with the same name already exists")
        self.refused(self.api("POST", "/datasources", {**self.new, "name": "b"}), 409, "data source with the same uid already exists")
        self.assertEqual(self.api("DELETE", "/datasources/uid/influx-alice").json["message"], "Data source deleted")
        self.refused(self.api("DELETE", "/datasources/uid/influx-alice"), 404, "Data source not found")
        self.assertEqual(self.api("GET", "/datasources/uid/influx-alice", org=self.plant).status, 200)

    def test_are_checked(self):
        for wrong in ({"type": None}, {"jsonData": {"organisation": "plant"}}, {"secureJsonData": {"token": 1}}, {"uid": "a b"},
                      {"access": "server"}, {"url": "influx"}, {"tls": True}):
            self.assertEqual(self.api("POST", "/datasources", {**self.new, **wrong}).status, 400, wrong)
        self.assertEqual(self.api("PUT", "/datasources/uid/none", self.new).status, 404)

    def test_are_made_by_administrators_and_seen_by_members(self):
        self.api("POST", "/datasources", self.new, org=self.plant)
        self.user("alice", self.plant)
        self.user("bob")
        alice, bob = ("alice", "alice's secret"), ("bob", "bob's secret")
        self.assertEqual(self.api("GET", "/datasources", basic=alice).status, 200)
        self.assertEqual(self.api("POST", "/datasources", {**self.new, "name": "b", "uid": "b"}, alice).status, 403)
        self.assertEqual(self.api("DELETE", "/datasources/uid/influx-alice", basic=alice).status, 403)
        self.assertEqual(self.api("GET", "/datasources", basic=bob, org=self.plant).status, 403)

    def test_go_with_their_organisation(self):
        self.api("POST", "/datasources", self.new, org=self.plant)
        self.assertEqual(self.api("DELETE", f"/orgs/{self.plant}").status, 200)
        self.assertEqual(self.api("GET", "/datasources", org=self.plant).status, 403)


class Health(InfluxDB, Grafana):
    """A data source that asks the other stand-in, by TLS."""

    def api(self, *arguments, **more):
        return Grafana.api(self, *arguments, **more)

    def test_is_that_of_the_server_behind(self):
        paths = certificate(self.directory)
        with open(paths[0], encoding="utf-8") as opened:
            authority = opened.read()
        InfluxDB.start(self, {"INFLUXD_TLS_CERT": paths[0], "INFLUXD_TLS_KEY": paths[1]}, "https", paths[0])
        setup = {"username": "admin", "password": "correct horse", "org": "plant", "bucket": "first", "token": "operator"}
        ask("POST", f"{self.url}/api/v2/setup", setup, authority=paths[0])
        influx, self.port = self.url, free_port()
        Grafana.start(self)
        source = {"name": "influx", "type": "influxdb", "access": "proxy", "url": influx, "uid": "i",
                  "secureJsonData": {"token": "operator"},
                  "jsonData": {"version": "Flux", "organization": "plant", "defaultBucket": "first"}}
        self.api("POST", "/datasources", source)
        distrust = self.api("GET", "/datasources/uid/i/health")
        self.assertEqual((distrust.status, distrust.json["status"]), (400, "ERROR"))
        self.assertIn("certificate verify failed", distrust.json["message"])
        source["jsonData"]["tlsAuthWithCACert"] = True
        source["secureJsonData"]["tlsCACert"] = authority
        self.api("PUT", "/datasources/uid/i", source)
        works = self.api("GET", "/datasources/uid/i/health")
        self.assertEqual((works.status, works.json), (200, {"status": "OK", "message": "datasource is working. 3 buckets found"}))
        source["secureJsonData"] = {"token": "another"}
        self.api("PUT", "/datasources/uid/i", source)
        wrong = self.api("GET", "/datasources/uid/i/health")
        self.assertEqual(wrong.status, 400)
        self.assertIn("unauthorized access", wrong.json["message"])
